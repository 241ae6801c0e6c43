"""Making models: texts and pairs are read, a model is trained on them and built. Wiring of other rooms."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctxsearch import readers
from ctxsearch.contexts import sentence_spans
from ctxsearch.encoder import Encoder
from ctxsearch.encoder.build import add_lexical_part, build_model
from ctxsearch.encoder.lexical import LexicalPart, token_weights
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.errors import ArgumentError, MissingExtraError, ModelError, SourceError
from ctxsearch.evaluate import seed_protocol
from ctxsearch.passport import TOKENIZER, ModelFolder, find_model
from ctxsearch.questionset import QuestionSet, held_out, read_questions
from ctxsearch.records import Context, Document, Sentence
from ctxsearch.training.cards import add_to_card, giga_operations, read_steps
from ctxsearch.training.pairs import pairs_from_texts

if TYPE_CHECKING:
    from ctxsearch.training.steps import Progress, Teacher

CALIBRATION = Path(__file__).parent / "encoder" / "calibration.jsonl"
"""Texts that calibrate where none are named: the contexts of the sample collection in data/."""

MOST_TEXTS = 300

STEPS = ("finetune", "distil", "quantise")
FOLDERS = {"finetune": "finetuned", "distil": "distilled", "quantise": "int8"}
"""Of the model that each step makes, below the folder of the whole."""

EPOCHS = 3
LEARNING_RATES = {"finetune": 6e-5, "distil": 4e-5}
CONTEXTS_PER_STEP = 64
LEXICAL_DIM = 128
LEXICAL_SHARE = 0.2
"""Of the lexical part in a cosine, where the states count 1: the best of a few on held-out articles
(benchmarks/QUALITY.md)."""

MOST_LOST = 0.3
"""Points of top-5 that quantising may cost before it says so."""


def build(base: Path, out: Path, *, name: str, calibrate: Sequence[str], precision: str) -> ModelFolder:
    """Make a model folder from a Hugging Face folder, calibrated with the documents that ``calibrate`` leads to.

    Raises:
        SourceError: a document cannot be read.
        MissingExtraError: the extra [build] is not installed.
        ModelError: the base cannot be used, or ``out`` exists.
    """
    texts = calibration_texts(calibrate) if precision == "int8" else []
    said = ", ".join(Path(path).name for path in calibrate) or "calibration.jsonl of ctxsearch"
    return build_model(base, out, name=name, calibration=texts, calibration_name=said, precision=precision)


def calibration_texts(paths: Sequence[str]) -> list[str]:
    """Texts of the documents that the paths lead to, or our own for no paths.

    Returns:
        At most `MOST_TEXTS`, spread evenly over all. What is longer than a context is cut when it is used.

    Raises:
        SourceError: a document cannot be read.
    """
    texts = [document.text for document in read_documents(list(paths) or [str(CALIBRATION)])]
    step = max(1, -(-len(texts) // MOST_TEXTS))
    return texts[::step]


def read_documents(paths: Sequence[str]) -> list[Document]:
    """All documents that the paths lead to.

    Raises:
        SourceError: one cannot be read.
    """
    found = readers.find(paths)
    for problem in found.missing:
        raise problem
    documents = []
    for file in found.files:
        for item in readers.read(file):
            if isinstance(item, SourceError):
                raise item
            if isinstance(item, Document):
                documents.append(item)
    return documents


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained on what, and how."""

    base: Path
    pairs: tuple[Path, ...]
    out: Path
    """Gets a model folder for each step: ``finetuned`` and ``distilled`` in float32, ``int8``."""
    name: str
    texts: tuple[Path, ...] = ()
    """Documents without questions; some are made from them."""
    teachers: tuple[str, ...] = ()
    """Models, by name or folder, whose scores are learnt besides those of the fine-tuned one."""
    layers: tuple[int, ...] | None = None
    """Layers of the base that the model keeps; all for None."""
    epochs: int = EPOCHS
    contexts_per_step: int = CONTEXTS_PER_STEP
    """Each is a negative for the questions of the others."""
    recompute: bool = False
    """Less memory for a third more time."""
    lexical_dim: int = LEXICAL_DIM
    """Dimensions of the lexical part that embeddings of the INT8 model get; 0 for none."""
    seed: int = 1
    command: str = ""
    """How the card says it was made."""


def train(
    recipe: Recipe,
    steps: Sequence[str] = STEPS,
    on_progress: Callable[[str, Progress], None] | None = None,
    on_done: Callable[[str, str], None] | None = None,
) -> ModelFolder:
    """Fine-tune, distil and quantise, or some of these.

    A step begins with what the step before it made: `Recipe.base` for the first, else the folder below `Recipe.out`.
    One that was cut goes on where its last checkpoint was; one that is done is not done again. Articles that
    `questionset.held_out` names are not trained on, and measured after each step.

    Args:
        recipe: what to train.
        steps: of `STEPS`, in their order.
        on_progress: told the step and how far it is.
        on_done: told the step and what it gave, in words.

    Returns:
        The model of the last step.

    Raises:
        MissingExtraError: the extra [train] is not installed.
        ArgumentError: steps that there are not.
        SourceError: pairs or texts cannot be read.
        ModelError: a model cannot be used, or ``out`` holds another run.
    """
    try:
        import scipy  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("ctxsearch model train", "train") from error
    if unknown := [step for step in steps if step not in STEPS]:
        raise ArgumentError(f"no step {unknown[0]!r}; there are {', '.join(STEPS)}")
    if recipe.lexical_dim % 8:
        raise ArgumentError(f"a lexical part of {recipe.lexical_dim} dimensions; take a multiple of 8, or 0 for none")
    asked = read_questions(recipe.pairs[0])
    for path in recipe.pairs[1:]:
        asked += read_questions(path)
    out = held_out(asked.titles, asked.paragraphs)
    pairs, measured = asked.select([not held for held in out]), asked.ask_only(out)
    if not len(pairs.questions):
        raise SourceError(str(recipe.pairs[0]), "leaves no questions to train on, after the held-out articles")
    if recipe.texts:
        documents = read_documents([str(path) for path in recipe.texts])
        pairs += pairs_from_texts([(d.title, d.text) for d in documents], recipe.seed)
    work = _Work(recipe, pairs, measured, on_progress, on_done)
    made = None
    for step in (step for step in STEPS if step in steps):
        made = work.quantise() if step == "quantise" else work.learn(step)
    if made is None:
        raise ArgumentError(f"no step is named; there are {', '.join(STEPS)}")
    return made


class _Work:
    """The steps of one `train`."""

    def __init__(
        self,
        recipe: Recipe,
        pairs: QuestionSet,
        measured: QuestionSet,
        on_progress: Callable[[str, Progress], None] | None,
        on_done: Callable[[str, str], None] | None,
    ) -> None:
        self._recipe, self._pairs, self._measured = recipe, pairs, measured
        self._on_progress = on_progress
        self._on_done = on_done or (lambda step, said: None)

    def learn(self, step: str) -> ModelFolder:
        """Fine-tune or distil."""
        from ctxsearch.training.steps import Run, Settings

        recipe = self._recipe
        out = recipe.out / FOLDERS[step]
        if out.is_dir():
            self._on_done(step, f"is done: {out}")
            return ModelFolder.load(out)
        former = recipe.out / FOLDERS["finetune"]
        continues = step == "distil" and former.is_dir()
        base = former / "base" if continues else recipe.base
        before = read_steps(former) if continues else self._measure_base()
        settings = Settings(
            epochs=recipe.epochs,
            learning_rate=LEARNING_RATES[step],
            contexts_per_step=recipe.contexts_per_step,
            recompute=recipe.recompute,
            seed=recipe.seed,
            layers=None if continues else recipe.layers,
        )
        teachers = [self._teacher(Path(name), find_model(name)) for name in recipe.teachers]
        if step == "distil" and continues:
            teachers.append(self._teacher(former, ModelFolder.load(former)))
        card = _base_card(base)
        run = Run(
            base,
            self._pairs,
            recipe.out / f"{step}.run",
            settings,
            cls=card.pools_cls,
            windows=card.windows,
            teachers=teachers,
            distil=step == "distil",
        )
        listener = self._on_progress
        model = run.train((lambda progress: listener(step, progress)) if listener else None)
        partial = recipe.out / f".{FOLDERS[step]}"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(base, partial / "base", ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "onnx"))
        model.save_pretrained(str(partial / "base"))
        built = build_model(
            partial / "base",
            partial / "model",
            name=f"{recipe.name}-{FOLDERS[step]}",
            calibration=(),
            precision="float32",
        )
        for file in built.path.iterdir():
            shutil.move(file, partial / file.name)
        built.path.rmdir()
        settings_said = {key: value for key, value in asdict(settings).items() if key != "seed"}
        self._finish(
            ModelFolder.load(partial),
            [*before, {"step": FOLDERS[step], "seconds": run.seconds, "seed": recipe.seed, "settings": settings_said}],
        )
        partial.replace(out)
        shutil.rmtree(recipe.out / f"{step}.run", ignore_errors=True)
        return ModelFolder.load(out)

    def quantise(self) -> ModelFolder:
        """INT8 of the last model that was made."""
        recipe = self._recipe
        out = recipe.out / FOLDERS["quantise"]
        if out.is_dir():
            self._on_done("quantise", f"is done: {out}")
            return ModelFolder.load(out)
        made = [recipe.out / FOLDERS[step] for step in ("distil", "finetune") if (recipe.out / FOLDERS[step]).is_dir()]
        base = made[0] / "base" if made else recipe.base
        before = read_steps(made[0]) if made else self._measure_base()
        started = time.monotonic()
        partial = recipe.out / f".{out.name}"
        shutil.rmtree(partial, ignore_errors=True)
        texts = calibration_texts([])
        built = build_model(
            base,
            partial,
            name=recipe.name,
            calibration=texts,
            calibration_name="calibration.jsonl of ctxsearch",
            precision="int8",
        )
        steps = [*before, {"step": "int8", "seconds": time.monotonic() - started}]
        self._finish(built, steps)
        if recipe.lexical_dim:
            self._finish(add_lexical_part(partial, self._lexical(base)), [*steps, {"step": "lexical"}])
        partial.replace(out)
        return ModelFolder.load(out)

    def _finish(self, folder: ModelFolder, steps: list[dict[str, Any]]) -> None:
        """Measure the newest step and write the card."""
        recipe = self._recipe
        steps[-1].update(self._measure(folder))
        source = folder.path / "base" / "config.json"
        if not source.is_file():
            source = self._last_base() / "config.json"
        config = json.loads(source.read_text(encoding="utf-8"))
        add_to_card(
            folder,
            {
                "base": recipe.base.name,
                "command": recipe.command,
                "data": [path.name for path in (*recipe.pairs, *recipe.texts)],
                "paragraphs": len(self._pairs.paragraphs),
                "questions": len(self._pairs.questions),
                "teachers": [Path(name).name for name in recipe.teachers],
                "held_out": f"{len(self._measured.questions):,} questions of held-out articles over "
                f"{len(self._measured.paragraphs):,} paragraphs of the same files",
                "gops": round(giga_operations(config, folder.passport.context_window), 2),
                "steps": steps,
            },
        )
        last = steps[-1]
        said = _accuracy(last)
        if len(steps) > 1 and "top5" in last and "top5" in steps[-2]:
            said += f" (before: {steps[-2]['top1']:.2f}, {steps[-2]['top5']:.2f})"
            if last["step"] == "int8" and steps[-2]["top5"] - last["top5"] > MOST_LOST:
                said += f"; quantising cost more than {MOST_LOST} points"
        self._on_done(last["step"], said)

    def _lexical(self, base: Path) -> LexicalPart:
        """The lexical part, its weights counted over what is trained on."""
        tokenizer = Tokenizer(base / TOKENIZER)
        tokens = [text.ids for text in tokenizer.encode(self._pairs.paragraphs, _base_card(base).windows[0])]
        return LexicalPart(token_weights(tokens, tokenizer.size), self._recipe.lexical_dim, LEXICAL_SHARE)

    def _last_base(self) -> Path:
        for step in ("distil", "finetune"):
            if (self._recipe.out / FOLDERS[step]).is_dir():
                return self._recipe.out / FOLDERS[step] / "base"
        return self._recipe.base

    def _measure_base(self) -> list[dict[str, Any]]:
        """The row of the base, measured once."""
        said = self._recipe.out / f"base-{self._measured.digest[:12]}.json"
        if said.is_file():
            row: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
            return [row]
        self._recipe.out.mkdir(parents=True, exist_ok=True)
        partial = self._recipe.out / ".base"
        shutil.rmtree(partial, ignore_errors=True)
        folder = build_model(self._recipe.base, partial, name="base", calibration=(), precision="float32")
        row = {"step": "base", **self._measure(folder)}
        shutil.rmtree(partial)
        said.write_text(json.dumps(row) + "\n", encoding="utf-8")
        self._on_done("base", _accuracy(row))
        return [row]

    def _measure(self, folder: ModelFolder) -> dict[str, Any]:
        if not len(self._measured.questions):
            return {}
        found = seed_protocol(folder, self._measured)
        return {"top1": round(found.top[1], 2), "top5": round(found.top[5], 2), "mrr": round(found.mrr, 4)}

    def _teacher(self, name: Path, folder: ModelFolder) -> Teacher:
        """What a model makes of the pairs; kept beside the runs, since it takes a while."""
        from ctxsearch.training.steps import Teacher

        self._recipe.out.mkdir(parents=True, exist_ok=True)
        kept = self._recipe.out / f"teacher-{folder.passport.fingerprint[:12]}-{self._pairs.digest[:12]}.npz"
        if not kept.is_file():
            encoder = Encoder(folder)
            embedded = encoder.embed_contexts(
                [
                    Context(0, len(text), text, 0, (), tuple(Sentence(s, e) for s, e, _ in sentence_spans(text)))
                    for text in self._pairs.paragraphs
                ]
            )
            questions = np.stack([question.embedding for question in encoder.embed_questions(self._pairs.questions)])
            partial = kept.with_suffix(".partial.npz")
            np.savez(partial, vectors=embedded.vectors, bounds=embedded.bounds, questions=questions)
            partial.replace(kept)
            self._on_done("teacher", f"{name.name} has embedded the pairs")
        with np.load(kept, allow_pickle=False) as loaded:
            vectors, bounds = loaded["vectors"], loaded["bounds"]
            return Teacher([vectors[a:b] for a, b in pairwise(bounds)], loaded["questions"])


def _accuracy(step: Mapping[str, Any]) -> str:
    if "top5" not in step:
        return "made; no article was held out to measure it on"
    return f"top-1 {step['top1']:.2f}, top-5 {step['top5']:.2f} on held-out articles"


@dataclass(frozen=True, slots=True)
class _Base:
    pools_cls: bool
    windows: tuple[int, int]


def _base_card(base: Path) -> _Base:
    """How a Hugging Face folder pools, and its windows."""
    from ctxsearch.encoder.build import CONTEXT_WINDOW, QUESTION_WINDOW, pools_cls

    try:
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        window = min(CONTEXT_WINDOW, int(config.get("max_position_embeddings", CONTEXT_WINDOW)))
    except (OSError, ValueError) as error:
        raise ModelError(f"{base} has no usable config.json: it is not a Hugging Face model folder") from error
    if not (base / TOKENIZER).is_file():
        raise ModelError(f"{base} has no {TOKENIZER}")
    return _Base(pools_cls(base), (window, min(QUESTION_WINDOW, window)))
