"""The graph of a model folder: checked against its card and compiled; inference.py runs it over rows of token ids.

It is compiled when it is first asked for, for contexts and for questions apart. For contexts several inferences run
side by side, each on its share of the cores: they never wait for each other inside a layer, and their data stay in the
caches of one core (benchmarks/ENCODER.md). For questions one inference has several cores, since somebody waits;
of more than two, one is left to whoever has other work meanwhile.

A graph of dynamic shapes takes batches of contexts of like length. For questions fixed shapes save a fifth of the time
of an inference: it is compiled for short ones and for the window, and takes one at a time, so that a question's
embedding does not depend on what is asked beside it. One of static shapes takes one text at a time anyway,
padded to its window exactly, since what it computes may depend on the padding. It never gets several texts at once: a
graph that was traced with one text can be reshaped to two, and then computes the second wrongly without a word (the one
that benchmarks/seed_signature.py makes does), and on two cores it gained nothing.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from ctxsearch import forking, locks
from ctxsearch.encoder.activity import activity
from ctxsearch.encoder.compiled import compile_graph
from ctxsearch.encoder.inference import Clock, Compiled, first_line
from ctxsearch.encoder.library import openvino
from ctxsearch.encoder.tables import look_up_first
from ctxsearch.errors import ModelError
from ctxsearch.passport import GRAPH, ModelFolder

SHAPES_REMEMBERED = "64"
"""Batch shapes for which OpenVINO keeps its kernels and buffers. Its own default of 5000 made an ingest of 10,033
documents take 1.06 GB for no more speed: nearly every batch is of another shape."""

MOST_QUESTION_THREADS = 4
"""Cores of the inference of a question."""

SHORT_QUESTION = 20
"""Tokens of the shape for all but long questions, 92 % in SQuAD; longer ones are padded to their window. Each shape has
weights of its own, and where questions take turns between two, these push each other out of the caches: shapes of 16
and 32 took a tenth longer."""

RANK = {"embedding": 2, "token_states": 3}
"""Axes of an output: (texts, dim) or (texts, tokens, dim)."""


class _For(NamedTuple):
    """What a graph is compiled for."""

    padded_to: int | None
    """Tokens of a row; None for any number."""
    cores: int | None = None
    """Of an inference; None for what suits contexts."""


class Graph:
    """The IR of a model folder. Threads may share it."""

    def __init__(self, model: ModelFolder, pad_id: int, *, threads: int | None = None) -> None:
        """Read a graph of static shapes and hold it against its card; others when they are compiled.

        Raises:
            ModelError: it cannot be read, or is not what the card says.
        """
        self._path = model.path / GRAPH
        self._passport = model.passport
        self._pad_id = pad_id
        self._static = self._passport.shapes == "static"
        self._options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if not self._static:
            self._options["CPU_RUNTIME_CACHE_CAPACITY"] = SHAPES_REMEMBERED
        self._threads = threads or os.cpu_count() or 1
        if threads is not None:
            self._options["INFERENCE_NUM_THREADS"] = threads
        if self._passport.precision == "float32":
            # A float32 build is a reference: no CPU may round it to bfloat16 behind our back.
            self._options["INFERENCE_PRECISION_HINT"] = "f32"
        self._core: Any = None
        self._compiled: dict[_For, Compiled] = {}
        self._for_contexts = _For(self._passport.context_window if self._static else None)
        self._turn = locks.make(locks.Rank.GRAPH)
        self.clock = Clock()
        forking.register(self)
        if self._static:
            with activity.inside():
                self._read()

    def after_fork_in_child(self) -> None:
        """Start anew: OpenVINO's threads are those of the parent."""
        forking.abandon((self._core, self._compiled))
        self._core, self._compiled = None, {}
        self._turn, self.clock = locks.make(locks.Rank.GRAPH), Clock()

    def for_contexts(self) -> Compiled:
        """The graph, ready for contexts of at most the context window.

        Raises:
            ModelError: it is not what the card says, or OpenVINO cannot run it.
        """
        return self._compiled_for(self._for_contexts)

    def for_question(self, tokens: int, *, beside: bool = False) -> Compiled:
        """The graph, ready for questions of so many tokens, at most the question window.

        Args:
            tokens: of the question, ``[CLS]`` and ``[SEP]`` counted.
            beside: whoever asks has other work meanwhile, and is left a core, where there are more than two. Of two
                both are used: as soon as whoever asks waits, the inference goes on in both.

        Raises:
            ModelError: it is not what the card says, or OpenVINO cannot run it.
        """
        if self._static:
            return self._compiled_for(_For(self._passport.question_window))
        short = tokens <= SHORT_QUESTION < self._passport.question_window
        spared = 1 if beside and self._threads > 2 else 0
        cores = min(MOST_QUESTION_THREADS, self._threads - spared)
        return self._compiled_for(_For(SHORT_QUESTION if short else self._passport.question_window, cores))

    def rest(self) -> None:
        """Let go of what `for_contexts` gave, and of its memory as soon as nobody uses it."""
        with self._turn:
            self._compiled.pop(self._for_contexts, None)

    def _compiled_for(self, what: _For) -> Compiled:
        with self._turn:
            if what not in self._compiled:
                with activity.inside():
                    self._compiled[what] = self._compile(what.padded_to, what.cores)
            return self._compiled[what]

    def _compile(self, padded_to: int | None, cores: int | None) -> Compiled:
        options = self._options
        if cores:
            options = {**options, **_question_options(self._threads, cores)}

        def prepare() -> openvino.Model:
            model = self._read()
            if padded_to:
                model.reshape({port: [1, padded_to] for port in model.inputs})
            return look_up_first(model)

        identity = {
            "weights": self._passport.weights_sha256,
            "window": str(padded_to or "any"),
            "tables": "looked up first",
        }
        try:
            compiled = compile_graph(self._openvino(), prepare, identity, options)
        except RuntimeError as error:
            shape = f" with inputs of (1,{padded_to})" if padded_to else ""
            raise ModelError(f"{self._path} cannot be run{shape}: {first_line(error)}") from error
        inputs, output = self._check_inputs(compiled), self._check_output(compiled)
        return Compiled(compiled, output, inputs, padded_to, self._pad_id, self.clock)

    def _openvino(self) -> openvino.Core:
        if self._core is None:
            self._core = openvino.Core()
        return self._core

    def _read(self) -> openvino.Model:
        """The graph as it is in the folder, held against its card."""
        try:
            model = self._openvino().read_model(str(self._path))
        except RuntimeError as error:
            raise ModelError(f"{self._path} cannot be read: {first_line(error)}") from error
        for name, port in zip(self._check_inputs(model), model.inputs, strict=True):
            shape = port.get_partial_shape()
            if not self._static and shape.rank.is_static and any(axis.is_static for axis in shape):
                raise ModelError(
                    f'{self._path} takes {name} of the fixed shape {shape}; its card must say "shapes": "static"'
                )
        self._check_output(model)
        return model

    def _check_inputs(self, graph: openvino.Model | openvino.CompiledModel) -> dict[str, Any]:
        """Each input's name and the type that the graph wants it in."""
        dtypes = {}
        for port in graph.inputs:
            name = next((name for name in self._passport.inputs if name in port.get_names()), port.get_any_name())
            dtypes[name] = port.get_element_type().to_dtype()
        if set(dtypes) != set(self._passport.inputs):
            raise ModelError(
                f"{self._path} takes {', '.join(sorted(dtypes))}; "
                f"the card says {', '.join(sorted(self._passport.inputs))}"
            )
        if other := [f"{name} as {dtype}" for name, dtype in dtypes.items() if dtype not in (np.int64, np.int32)]:
            raise ModelError(f"{self._path} takes {', '.join(other)}; token ids are int64 or int32")
        return dtypes

    def _check_output(self, graph: openvino.Model | openvino.CompiledModel) -> int:
        """Index of the output that the card means: the one it names, else the only one of its rank."""
        wanted, rank = self._passport.output, RANK[self._passport.output]
        shapes = [port.get_partial_shape() for port in graph.outputs]
        fitting = [i for i, shape in enumerate(shapes) if shape.rank.is_dynamic or len(shape) == rank]
        named = [i for i in fitting if wanted in graph.outputs[i].get_names()]
        if len(named or fitting) != 1:
            found = ", ".join(f"{'/'.join(sorted(p.get_names()))} {p.get_partial_shape()}" for p in graph.outputs)
            raise ModelError(f"{self._path} gives {found}; the card says {wanted}, of {rank} axes")
        (index,) = named or fitting
        last = None if shapes[index].rank.is_dynamic else shapes[index][rank - 1]
        if last is not None and last.is_static and last.get_length() != self._passport.graph_dim:
            said = self._passport.graph_dim
            raise ModelError(f"{self._path} gives {last.get_length()} dimensions; the card says {said}")
        return index


def _question_options(threads: int, cores: int) -> dict[str, Any]:
    """Each inference on so many cores, as many at once as there is room for.

    Threads are not tied to cores: those that search vectors next would find their core taken, one time in twenty, and
    so would other processes that answer questions.
    """
    streams = max(1, threads // cores)
    return {
        "INFERENCE_NUM_THREADS": streams * cores,
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": False,
    }
