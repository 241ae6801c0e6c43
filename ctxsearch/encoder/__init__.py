"""Contexts and questions become unit vectors.

    tokens.py     text -> token ids; the only importer of tokenizers
    graph.py      the graph of a model folder, checked and compiled
    tables.py     a graph whose tables of words stay INT8
    compiled.py   compiled graphs, kept a user and machine
    inference.py  token ids -> what the graph gives, in batches
    lexical.py    the part of an embedding that says which words a text has
    activity.py   which threads are inside OpenVINO, for a process that forks
    library.py    openvino, imported without what only converting models needs
    runtime.py    texts -> embeddings; the Encoder that ingest and query hold
    build.py      a Hugging Face folder -> a model folder (extra [build])
    facts.py      what OpenVINO is here, and in which precision it runs a model

This room is the only importer of openvino. It knows nothing of documents in a store, files of users, or ranking. An
`Encoder` takes a batch and gives arrays; it can be built in another process from the path of a model folder.
"""

from ctxsearch.encoder.runtime import Encoder

__all__ = ["Encoder"]
