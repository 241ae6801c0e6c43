"""The names that the package promises are there, and no others."""

from __future__ import annotations

import inspect
import subprocess
import sys

import ctxsearch
from ctxsearch import errors
from tests.conftest import ROOT


def test_all_is_what_the_package_has() -> None:
    assert sorted(ctxsearch.__all__) == sorted({*ctxsearch._HOME_OF, "__version__"})
    for name in ctxsearch.__all__:
        assert getattr(ctxsearch, name) is not None


def test_every_error_is_exported_and_under_one_root() -> None:
    tree = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert set(tree) == {name for name, home in ctxsearch._HOME_OF.items() if home == "ctxsearch.errors"}
    assert all(issubclass(kind, ctxsearch.CtxsearchError) for kind in tree.values())
    assert all(f" {name} " in (errors.__doc__ or "") for name in tree)


def test_unknown_names_are_attribute_errors() -> None:
    assert not hasattr(ctxsearch, "nothing_of_that_name")


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, ctxsearch; print(sorted({'numpy', 'openvino', 'faiss', 'sqlite_utils'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_and_lexical_queries_load_no_model(sample: ctxsearch.Index) -> None:
    program = (
        "import sys; sys.argv = ['ctxsearch', 'query', 'refund', '--mode', 'lexical', '--index', sys.argv[1]]\n"
        "from ctxsearch.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, sorted({'openvino', 'faiss'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(sample.path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "0 []"


def test_types_are_shipped() -> None:
    assert (ROOT / "ctxsearch" / "py.typed").is_file()
