"""Which segments of vectors are published, as the catalog notes it, and opening them.

A segment holds the contexts of a range of ids that were there at its generation; ranges rise. What was removed since is
noted in the catalog (`removed`), as far back as the oldest segment.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ctxsearch.layout import IndexFolder

if TYPE_CHECKING:
    from ctxsearch.vectors import Lists, Segment


@dataclass(frozen=True, slots=True)
class Note:
    """What the catalog knows of one segment."""

    serial: int
    """Number of its files; never given twice."""
    generation: int
    """At which its contexts were there."""
    contexts: int
    rows: int
    first: int
    """Id of its first context."""
    last: int
    header: int
    """Checksum of its header, which has that of the rest."""
    lists: dict[str, Any] | None
    """What `Lists.read` wants to know; None for a segment without lists."""


@dataclass(frozen=True, slots=True)
class Published:
    """The segments that hold a generation together."""

    generation: int
    contexts: int
    segments: tuple[Note, ...]

    @classmethod
    def from_fact(cls, said: Any) -> Published | None:
        """From the catalog's fact; None where nothing was published, or the fact is damaged: vectors are made anew."""
        if not said:
            return None
        try:
            published = cls(said["generation"], said["contexts"], tuple(Note(**note) for note in said["segments"]))
        except (KeyError, TypeError):
            return None
        return published if published._is_valid() else None

    def _is_valid(self) -> bool:
        numbers = [self.generation, self.contexts]
        for note in self.segments:
            numbers += [note.serial, note.generation, note.contexts, note.rows, note.first, note.last, note.header]
        if any(type(number) is not int or not 0 <= number < 2**53 for number in numbers):
            return False
        return all(note.lists is None or isinstance(note.lists, dict) for note in self.segments)

    def to_fact(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def floor(self) -> int:
        """The oldest generation of a segment: what was removed since has to be known."""
        return min((note.generation for note in self.segments), default=self.generation)

    @property
    def last(self) -> int:
        """The highest id in a segment; -1 for none."""
        return self.segments[-1].last if self.segments else -1


def open_segment(folder: IndexFolder, number: int, note: Note, dim: int) -> tuple[Segment, Lists | None]:
    """Open a segment and its lists; None for lists that cannot be used.

    Raises:
        VectorFileError: the segment is missing or damaged.
    """
    from ctxsearch.vectors import Lists, Segment, VectorFileError

    segment = Segment.read(folder.rows(number, note.serial), dim, note.header)
    lists = None
    if note.lists is not None:
        with suppress(VectorFileError):
            lists = Lists.read(folder.lists(number, note.serial), note.lists, segment)
    return segment, lists


def is_whole(folder: IndexFolder, number: int, note: Note, dim: int) -> bool:
    """Whether the files of a segment are, byte for byte, what was written. Reads all of them."""
    from ctxsearch.vectors import VectorFileError, lists_are_whole

    try:
        segment, _ = open_segment(folder, number, note, dim)
    except VectorFileError:
        return False
    if note.lists is not None and not lists_are_whole(folder.lists(number, note.serial), note.lists):
        return False
    return not len(segment.damaged())
