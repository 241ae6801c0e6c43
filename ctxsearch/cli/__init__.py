"""The command line: arguments in, text or JSON out.

    __init__.py   the group of commands, and errors to exit statuses
    common.py     options and helpers that commands share
    search.py     ingest, query
    watching.py   ingest --watch
    care.py       status, list, show, delete, verify, compact, reindex, repair, backup, export, import, reembed
    health.py     doctor
    completion.py completion, and what values there are
    examples.py   the examples in the help
    measure.py    eval
    models.py     model list, show, pull, build, train, calibrate
    answers.py    answers as a person reads them
    prompt.py     questions one after another
    opening.py    the file of a hit in an editor, a pager, or a program of the desktop
    present.py    lists and reports as text, and everything as JSON
    terminal.py   what standard output is, and what a terminal may be sent
    progress.py   the progress bars

No rule of the program lives here. Each command imports what it needs when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

import ctxsearch
from ctxsearch import resources
from ctxsearch.cli import care, completion, examples, health, measure, models, search
from ctxsearch.cli.common import DONE, FAILED, WRONG_USAGE, complain
from ctxsearch.errors import ArgumentError, CtxsearchError

GARBAGE_COLLECTED = 50_000
"""Objects after which Python looks for cycles. At its own 700 that takes a tenth of a short command, for nothing."""


def main() -> NoReturn:
    """Run the command line and end the process with one of the promised exit statuses."""
    status: int
    gc.set_threshold(GARBAGE_COLLECTED)
    try:
        returned = commands(standalone_mode=False, prog_name="ctxsearch")
        status = returned if isinstance(returned, int) else DONE
        sys.stdout.flush()
    except click.UsageError as error:
        where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        complain(f"{error.format_message().rstrip('.')}{where}")
        status = WRONG_USAGE
    except click.ClickException as error:
        complain(error.format_message())
        status = FAILED
    except ArgumentError as error:
        complain(str(error))
        status = WRONG_USAGE
    except CtxsearchError as error:
        complain(str(error))
        status = FAILED
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted; what was acknowledged is kept")
        status = FAILED
    except BrokenPipeError:  # as in: ctxsearch list | head
        _drop_output()
        status = FAILED
    except (MemoryError, ImportError, RuntimeError) as error:
        starved = resources.explained(error)
        if starved is None:
            raise
        complain(str(starved))
        status = FAILED
    except OSError as error:  # of standard output, on a full disk; others are errors of ours by now
        _drop_output()
        complain(f"the output cannot be written: {error.strerror or error}")
        status = FAILED
    sys.exit(status)


def _drop_output() -> None:
    """What is not written yet goes nowhere, so that nobody tries again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def process() -> NoReturn:
    """`main`, as all that a process does.

    When it is over nothing is open and nothing under way, so the process ends at once: to take apart what the
    libraries hold is a tenth of a second of a query.
    """
    try:
        main()
    except SystemExit as ended:
        with suppress(OSError):  # nobody reads it any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ctxsearch.__version__, prog_name="ctxsearch", message="%(prog)s %(version)s")
def commands() -> None:
    """Search your own documents by meaning, on your own machine.

    \b
    ctxsearch ingest docs/
    ctxsearch query "who may approve a refund?"

    Exit status: 0 done; 1 it failed; 2 wrong usage; 3 some sources failed and are listed, the rest is in.
    """


for command in (
    search.ingest,
    search.query,
    care.status,
    care.list_,
    care.show,
    care.delete,
    care.verify,
    care.compact,
    care.reindex,
    care.repair,
    care.backup,
    care.export,
    care.import_,
    care.reembed,
    health.doctor,
    completion.completion,
    measure.evaluate,
    models.model,
):
    commands.add_command(command)
examples.attach(commands)
