"""An index folder on disk: its paths, the pointer, seals, the writer's lock, and how files are written safely.

    folder.py   names of files, the pointer to the current catalog, what is left over
    lock.py     the right to write, and who has it
    opened.py   catalog files that this process has open, and reading them beside SQLite
    untrusted.py  opening and reading files of a folder that a stranger may have made
    files.py    replacing a file atomically, JSON that knows when it is damaged, seals, the named steps of a write

This room knows names and how to write. It does not know what is in the files.
"""

from ctxsearch.layout.files import (
    STEPS,
    check_seal,
    is_sealed,
    read_checked,
    remove_seal,
    replace_atomically,
    seal,
    sha256_of,
    step,
    sync_file,
    sync_folder,
    write_checked,
)
from ctxsearch.layout.folder import FORMAT_VERSION, IndexFolder, Pointer
from ctxsearch.layout.lock import LOCK_TIMEOUT_SECONDS
from ctxsearch.layout.untrusted import NotRegularFileError

__all__ = [
    "FORMAT_VERSION",
    "LOCK_TIMEOUT_SECONDS",
    "STEPS",
    "IndexFolder",
    "NotRegularFileError",
    "Pointer",
    "check_seal",
    "is_sealed",
    "read_checked",
    "remove_seal",
    "replace_atomically",
    "seal",
    "sha256_of",
    "step",
    "sync_file",
    "sync_folder",
    "write_checked",
]
