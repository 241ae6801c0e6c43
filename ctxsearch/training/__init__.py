"""Making a retriever from a base model and pairs of questions and contexts, in the seed's three steps.

    pairs.py      questions made from plain texts; tokens with sentence boundaries
    negatives.py  which wrong contexts are the hard ones: BM25 and a model's own errors
    batches.py    which contexts and questions meet in one step
    network.py    the model in torch: late chunking, scores, losses
    steps.py      fine-tune and distil: the loop, checkpoints, progress

Quantising is `encoder.build`. Needs the extra [train]; torch is imported only when a step runs.
"""
