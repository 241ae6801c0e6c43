"""Fine-tune and distil: the loop over batches, its checkpoints and its progress.

Both steps are one loop. Fine-tuning learns from the pairs alone; distilling learns from teachers' scores besides, and
ends with the mean of the weights it began and ended with, unless it began with fewer layers than its base has. A
run lives in a folder of its own until it is done:

    run.json          what is being run; a run of other settings does not go on from here
    checkpoint.pt     weights, optimiser, place and time spent, replaced every `CHECKPOINT_SECONDS`
    neighbours-N.npy  the hard negatives of epoch N

The order of everything follows from the seed, so a run that was cut goes on as if it had not been.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.errors import ModelError
from ctxsearch.questionset import QuestionSet
from ctxsearch.records import FloatArray, IntArray
from ctxsearch.training import batches, negatives, network
from ctxsearch.training.pairs import TokenisedText, tokenise

CHECKPOINT_SECONDS = 240.0
WARM_UP = 0.06
"""Share of the steps in which the learning rate rises from 0; from there it falls to 0 as a line."""

FALSE_NEGATIVE_MARGIN = 0.05
"""A context that the teacher puts so far (in cosine similarity) above the right one is not taken for wrong."""

WHOLE_SHARE = 0.5
"""Share of the loss that the context's own vector has; the rest is of the blend with its best sentence."""

SENTENCE_WEIGHT = 0.85
"""Share of the best sentence in that blend. The search's own may be tuned without the model becoming another."""

LEXICAL_WEIGHT = 0.01
"""What a point of BM25 is worth in cosine similarity, for finding hard negatives and in what a teacher says."""

TEACHER_SHARE = 0.5
"""Share of the loss that the teacher has when distilling."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run depends on besides its data."""

    epochs: int
    learning_rate: float = 5e-5
    contexts_per_step: int = 64
    questions_per_context: int = 4
    family: int = 4
    """Contexts that are easily confused, of which a batch is made."""
    mine_every: int = 2
    """Epochs after which hard negatives are looked for anew."""
    seed: int = 1
    layers: tuple[int, ...] | None = None
    """Layers of the base that the student keeps; all for None."""
    recompute: bool = False
    """As in `network.embed`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int
    steps: int
    loss: float
    """Mean over the last steps."""
    pairs_per_second: float
    seconds_left: float


ProgressListener = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Teacher:
    """Unit rows of what a teacher made of the same pairs, and its lexical evidence."""

    contexts: Sequence[FloatArray]
    """For each context its rows, (1 + sentences, dim)."""
    questions: FloatArray
    """(questions, dim)."""


class Run:
    """One step of training over one set of pairs."""

    def __init__(
        self,
        base: Path,
        pairs: QuestionSet,
        folder: Path,
        settings: Settings,
        *,
        cls: bool,
        windows: tuple[int, int],
        teachers: Sequence[Teacher] = (),
        distil: bool = False,
    ) -> None:
        """Load the base and the place where an earlier run was cut, if there is one.

        Args:
            base: Hugging Face folder.
            pairs: to train on.
            folder: of the run.
            settings: of the run.
            cls: as in `network.embed`.
            windows: most tokens of a context and of a question.
            teachers: say which contexts are not wrong, and, when distilling, what to learn. Their mean counts.
            distil: learn from the teachers' scores as well.

        Raises:
            ModelError: the base cannot be loaded, or the folder is of another run.
        """
        self._base, self._pairs, self._folder, self._settings = base, pairs, folder, settings
        self._cls, self._teachers, self._distil = cls, teachers, distil
        tokenizer = Tokenizer(base / "tokenizer.json")
        self._contexts = tokenise(pairs.paragraphs, tokenizer, windows[0], sentences=True)
        self._questions = tokenise(pairs.questions, tokenizer, windows[1], sentences=False)
        self._bm25 = negatives.Bm25(self._contexts, self._questions)
        order = np.argsort(pairs.gold, kind="stable")
        starts = np.searchsorted(pairs.gold[order], np.arange(len(pairs.paragraphs) + 1))
        self._questions_of = [order[starts[i] : starts[i + 1]] for i in range(len(pairs.paragraphs))]
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(settings.seed)
        self._model = network.load(base, settings.layers).to(self._device)
        self._optimiser = torch.optim.AdamW(self._model.parameters(), settings.learning_rate, weight_decay=0.01)
        self._steps_an_epoch = -(-sum(map(bool, map(len, self._questions_of))) // settings.contexts_per_step)
        self._done = 0
        self.seconds = 0.0
        """Spent training, over all of its parts."""
        self.checkpoint_seconds = CHECKPOINT_SECONDS
        self._open_folder(base)

    @property
    def steps(self) -> int:
        """Steps of the whole run, to a few: the last batch of an epoch may join the one before."""
        return self._steps_an_epoch * self._settings.epochs

    def train(self, on_progress: ProgressListener | None = None) -> Any:
        """Go on to the end; returns the model."""
        settings = self._settings
        started = saved = time.monotonic()
        before, pairs_seen, losses = self._done, 0, []
        spent = self.seconds
        self._model.train()
        step = 0
        for number in range(settings.epochs):
            if step + self._steps_an_epoch <= self._done:
                step += self._steps_an_epoch
                continue
            drawn = batches.epoch(
                self._neighbours(number - number % settings.mine_every),
                self._questions_of,
                contexts=settings.contexts_per_step,
                family=settings.family,
                most_questions=settings.questions_per_context,
                seed=settings.seed * 1000 + number,
            )
            for i in range(self._steps_an_epoch):
                step += 1
                if step <= self._done or i >= len(drawn):
                    continue
                losses.append(self._step(drawn[i], step))
                pairs_seen += len(drawn[i].questions)
                self._done = step
                now = time.monotonic()
                self.seconds = spent + now - started
                if now - saved > self.checkpoint_seconds:
                    self._save()
                    saved = now
                if on_progress:
                    each = (now - started) / (step - before)
                    on_progress(
                        Progress(
                            step=step,
                            steps=self.steps,
                            loss=float(np.mean(losses[-20:])),
                            pairs_per_second=pairs_seen / (now - started),
                            seconds_left=each * (self.steps - step),
                        )
                    )
        self._save()
        if self._distil and self._settings.layers is None:
            self._average_with_start()
        return self._model.eval()

    def _average_with_start(self) -> None:
        """Halve the way that the weights went: the mean of two models on one path is often better than either
        (Wortsman et al. 2022, arXiv:2203.05482)."""
        begun = network.load(self._base, self._settings.layers).state_dict()
        own = self._model.state_dict()
        mean = {
            name: (value + begun[name].to(self._device)) / 2 if value.is_floating_point() else value
            for name, value in own.items()
        }
        self._model.load_state_dict(mean)

    def _step(self, batch: batches.Batch, step: int) -> float:
        column = {context: i for i, context in enumerate(batch.contexts.tolist())}
        gold = torch.tensor([column[c] for c in self._pairs.gold[batch.questions].tolist()], device=self._device)
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.learning_rate * _schedule(step, self.steps)
        contexts = self._embed([self._contexts[i] for i in batch.contexts])
        questions = self._embed([self._questions[i] for i in batch.questions]).whole
        whole, blended = network.similarities(questions, contexts, SENTENCE_WEIGHT)
        ignored = torch.zeros(len(questions), len(batch.contexts), dtype=torch.bool, device=self._device)
        taught = None
        if self._teachers:
            taught = torch.from_numpy(self._teach(batch)).to(self._device)
            own = taught.gather(1, gold.unsqueeze(1))
            ignored = (taught > own + FALSE_NEGATIVE_MARGIN).scatter(1, gold.unsqueeze(1), False)
        loss = (1.0 - WHOLE_SHARE) * network.contrastive_loss(blended, gold, ignored)
        loss = loss + WHOLE_SHARE * network.contrastive_loss(whole, gold, ignored)
        if self._distil and taught is not None:
            learnt = (1.0 - WHOLE_SHARE) * network.distillation_loss(blended, taught)
            learnt = learnt + WHOLE_SHARE * network.distillation_loss(whole, taught)
            loss = (1.0 - TEACHER_SHARE) * loss + TEACHER_SHARE * learnt
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimiser.step()
        return float(loss.item())

    def _embed(self, texts: Sequence[TokenisedText]) -> network.Embedded:
        return network.embed(self._model, texts, cls=self._cls, recompute=self._settings.recompute)

    def _teach(self, batch: batches.Batch) -> FloatArray:
        """The teachers' scores, float32 (questions, contexts): the mean of their dense scores, and BM25."""
        total = LEXICAL_WEIGHT * self._bm25.scores(batch.questions, batch.contexts)
        for teacher in self._teachers:
            questions = teacher.questions[batch.questions]
            for column, context in enumerate(batch.contexts):
                cosines = questions @ teacher.contexts[context].T
                best = cosines[:, 1:].max(axis=1) if cosines.shape[1] > 1 else cosines[:, 0]
                total[:, column] += (SENTENCE_WEIGHT * best + (1.0 - SENTENCE_WEIGHT) * cosines[:, 0]) / len(
                    self._teachers
                )
        return total.astype(np.float32)

    def _neighbours(self, epoch: int) -> IntArray:
        """Hard negatives found with the weights as they were when that epoch began."""
        path = self._folder / f"neighbours-{epoch}.npy"
        if path.is_file():
            loaded: IntArray = np.load(path, allow_pickle=False)
            return loaded
        self._model.eval()
        with torch.no_grad():
            contexts = self._embed(self._contexts)
            questions = self._embed(self._questions).whole

            def dense(asked: IntArray) -> FloatArray:
                scores: FloatArray = network.similarities(questions[asked], contexts, SENTENCE_WEIGHT)[1].cpu().numpy()
                return scores

            found = negatives.hard_neighbours(
                dense,
                self._bm25,
                self._pairs.gold,
                len(self._contexts),
                lexical_weight=LEXICAL_WEIGHT,
                per_question=4,
                neighbours=16,
            )
        self._model.train()
        partial = path.with_suffix(".partial.npy")
        np.save(partial, found)
        self._save()
        os.replace(partial, path)
        return found

    # The run's folder

    def _open_folder(self, base: Path) -> None:
        said = {
            "base": base.name,
            "pairs": self._pairs.digest,
            "teachers": len(self._teachers),
            "distil": self._distil,
            "settings": asdict(replace(self._settings)),
        }
        said = json.loads(json.dumps(said))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "run.json"
        if not path.is_file():
            path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        elif json.loads(path.read_text(encoding="utf-8")) != said:
            raise ModelError(f"{self._folder} holds a run of other settings; remove it, or name another --out")
        checkpoint = self._folder / "checkpoint.pt"
        if checkpoint.is_file():
            state = torch.load(checkpoint, map_location=self._device, weights_only=True)
            self._model.load_state_dict(state["model"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._done = int(state["done"])
            self.seconds = float(state["seconds"])

    def _save(self) -> None:
        partial = self._folder / "checkpoint.partial"
        state = {"model": self._model.state_dict(), "optimiser": self._optimiser.state_dict()}
        torch.save({**state, "done": self._done, "seconds": self.seconds}, partial)
        os.replace(partial, self._folder / "checkpoint.pt")


def _schedule(step: int, steps: int) -> float:
    warm = max(1.0, WARM_UP * steps)
    return min(step / warm, max(0.0, (steps + 1 - step) / (steps + 1 - warm)))
