"""The pure modules decide and never act: no clock, no thread, no process, no loop, wherever the import stands.

`now` is an argument to them. This file reads their syntax trees, so an import inside a function counts as well.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import timeouts

assert timeouts.__file__ is not None
PACKAGE = Path(timeouts.__file__).parent
NAMES = (
    "admission",
    "callsite",
    "commands",
    "core",
    "deadline",
    "discipline",
    "errors",
    "estimate",
    "explain",
    "heap",
    "job",
    "learned",
    "outcome",
    "pace",
    "policy",
    "stack",
    "statuses",
)
FORBIDDEN = {
    "asyncio",
    "concurrent",
    "multiprocessing",
    "os",
    "signal",
    "socket",
    "threading",
    "time",
}


def files_of(name: str) -> list[Path]:
    """Return the file of a module, or all files of a package."""
    return [path for path in [PACKAGE / f"{name}.py"] if path.exists()] or sorted(
        (PACKAGE / name).rglob("*.py")
    )


PURE = [path for name in NAMES for path in files_of(name)]
_ids = pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names that these nodes import; a relative import shows as `timeouts`."""
    found = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module or 'timeouts'}.{alias.name}" for alias in node.names}
    return found


def forbidden_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return {name for name in imports(ast.walk(tree)) if name.split(".")[0] in FORBIDDEN}


def imported_at_once(path: Path) -> set[str]:
    """Return the modules of the package that come with this one: not those named in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    parts = (name.split(".") for name in imports(iter(tree.body)))
    return {part[1] for part in parts if part[0] == "timeouts"}


def test_every_pure_module_is_looked_at() -> None:
    """A renamed module must not slip out of the rule."""
    assert [name for name in NAMES if not files_of(name)] == []


@_ids
def test_pure_modules_import_nothing_that_acts(path: Path) -> None:
    assert forbidden_imports(path) == set()


@_ids
def test_pure_modules_stand_on_pure_modules_alone(path: Path) -> None:
    """Else the clock would come in by the back door.

    `if TYPE_CHECKING:` and late imports may point outwards.
    """
    assert imported_at_once(path) - set(NAMES) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path as p",
        "import math, threading",
        "from time import monotonic",
        "from concurrent.futures import Future",
        "def f():\n    import asyncio",
        "if TYPE_CHECKING:\n    import socket",
    ],
)
def test_a_forbidden_import_is_found(source: str, tmp_path: Path) -> None:
    path = tmp_path / "sinner.py"
    path.write_text(source, encoding="utf-8")
    assert forbidden_imports(path)


def test_innocent_imports_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "saint.py"
    path.write_text("import math\nfrom datetime import timedelta\nimport timeit", encoding="utf-8")
    assert forbidden_imports(path) == set()


def test_a_shell_behind_a_pure_module_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sinner.py"
    path.write_text("from timeouts.server import Server\ndef f():\n    import timeouts.cli")
    assert imported_at_once(path) == {"server"}
