"""The prompt: questions one after another, with the model loaded once. Imported when there is a terminal to ask on.

Lines are edited by prompt_toolkit, which works alike on Linux, macOS and Windows. What was asked is kept in the user's
state folder, for that user alone to read; where that cannot be written, for as long as the prompt runs.
"""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.styles import Style

from ctxsearch.cli import answers, opening, present, terminal
from ctxsearch.cli.common import DONE, complain, conditions
from ctxsearch.cli.terminal import say
from ctxsearch.errors import ArgumentError, CtxsearchError
from ctxsearch.records import MODES, Answer

if TYPE_CHECKING:
    from ctxsearch.index import Index

HELP = """\
:k N              show so many hits
:mode MODE        hybrid, dense (by meaning) or lexical (by words)
:where K=V ...    only documents with this metadata; alone: all documents again
:full             whole contexts, or excerpts again
:open N           open the file of hit N at its place
:help             this
:quit             leave, as Ctrl-D does; Ctrl-C drops the line
Anything else is a question."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How questions are asked and answers shown; what the options of ``query`` say, until a command changes it."""

    k: int
    mode: Any
    where: tuple[str, ...]
    min_score: float | None
    full: bool
    plain: bool

    def __str__(self) -> str:
        parts = [self.mode, "1 hit" if self.k == 1 else f"{self.k} hits"]
        parts += [f"where {' and '.join(self.where)}"] if self.where else []
        parts += [f"score at least {self.min_score:g}"] if self.min_score is not None else []
        parts += ["full"] if self.full else []
        return ", ".join(parts)


def run(index: Index, settings: Settings) -> int:
    """Ask for questions until the user leaves."""
    found = index.status()
    say(f"{index.path}: {found.documents:,} documents. :help lists the commands.")
    loading = threading.Thread(target=_load, args=(index, settings), daemon=True)
    loading.start()
    session: PromptSession[str] = PromptSession(
        history=_history(),
        completer=_Completer(),
        complete_while_typing=False,
        style=Style.from_dict({"bottom-toolbar": "noreverse"}),
    )
    prompt = _Prompt(index, settings)
    styled = terminal.is_styled(sys.stdout) and not settings.plain
    sign = FormattedText([("bold ansicyan" if styled else "", "? ")])
    try:
        while not prompt.left:
            try:
                prompt.take(session.prompt(sign, bottom_toolbar=lambda: str(prompt.settings)))
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            except CtxsearchError as error:
                complain(str(error))
    finally:
        loading.join()  # the model must not be in the middle of loading when the process ends
    return DONE


class _Prompt:
    """What a line that was typed does."""

    def __init__(self, index: Index, settings: Settings) -> None:
        self.settings = settings
        self.left = False
        self._index = index
        self._answer: Answer | None = None

    def take(self, line: str) -> None:
        """Do what a line says: a command or a question.

        Raises:
            CtxsearchError: it cannot be done; the prompt goes on.
        """
        line = line.strip()
        if line.startswith(":"):
            name, _, rest = line.partition(" ")
            if name not in _COMMANDS:
                raise ArgumentError(f"no command {name}; :help lists them")
            _COMMANDS[name](self, rest.strip())
        elif line:
            self._ask(line)

    def _ask(self, question: str) -> None:
        settings = self.settings
        wanted = conditions(settings.where)
        self._answer = found = self._index.query(question, settings.k, settings.mode, wanted, settings.min_score)
        say("")
        if found.truncated:
            say(present.TRUNCATED, err=True)
        answers.show(found, self._index, full=settings.full, plain=settings.plain)
        if not found:
            say(present.nothing_found(self._index, bool(wanted), settings.min_score), err=True)

    def _set_k(self, said: str) -> None:
        if not said.isdecimal() or int(said) < 1:
            raise ArgumentError(f":k {said}: expected a number, as in :k 10")
        self._set(k=int(said))

    def _set_mode(self, said: str) -> None:
        if said not in MODES:
            raise ArgumentError(f":mode {said}: there are {', '.join(MODES)}")
        self._set(mode=said)

    def _set_where(self, said: str) -> None:
        where = tuple(_split(said))
        conditions(where)
        self._set(where=where)

    def _set_full(self, said: str) -> None:
        self._set(full=not self.settings.full)

    def _set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    def _open(self, said: str) -> None:
        hits = self._answer or ()
        if not hits:
            raise ArgumentError(":open needs an answer; ask something first")
        if not said.isdecimal() or not 1 <= int(said) <= len(hits):
            raise ArgumentError(f":open {said}: expected the number of a hit, 1 to {len(hits)}")
        opening.show(hits[int(said) - 1], self._index)

    def _help(self, said: str) -> None:
        for line in HELP.splitlines():
            say(line)

    def _quit(self, said: str) -> None:
        self.left = True


_COMMANDS: dict[str, Callable[[_Prompt, str], None]] = {
    ":k": _Prompt._set_k,
    ":mode": _Prompt._set_mode,
    ":where": _Prompt._set_where,
    ":full": _Prompt._set_full,
    ":open": _Prompt._open,
    ":help": _Prompt._help,
    ":quit": _Prompt._quit,
}


class _Completer(Completer):
    """Completes commands and modes with Tab."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        name, space, rest = line.partition(" ")
        known: Iterable[str] = _COMMANDS
        if space:
            known = MODES if name == ":mode" else ()
        begun = rest if space else line
        if line.startswith(":"):
            yield from (Completion(word, -len(begun)) for word in known if word.startswith(begun))


def _split(said: str) -> list[str]:
    try:
        return shlex.split(said)
    except ValueError as error:
        raise ArgumentError(f":where {said}: a quotation mark is not closed") from error


def _load(index: Index, settings: Settings) -> None:
    """Load the model while the first question is typed. What is wrong with it, that question will say."""
    with suppress(CtxsearchError):
        index.query_many([], 1, settings.mode)


def _history() -> History:
    """What was asked before, from the user's state folder; nothing where that cannot be written."""
    from platformdirs import user_state_path

    path = user_state_path("ctxsearch", appauthor=False) / "history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return _FileHistory(path)


class _FileHistory(FileHistory):
    """A history that goes on in memory when its file can no longer be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)
