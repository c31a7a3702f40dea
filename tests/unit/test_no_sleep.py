"""No test waits for time to pass but those that say so in the name of their file. This file reads their syntax trees."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
FILES = [path for path in TESTS.rglob("test_*.py") if not path.stem.endswith("_realtime")]


def sleeps(source: str) -> list[int]:
    """Return the lines that call `time.sleep`, or import it by its bare name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            found.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node.lineno for alias in node.names if alias.name == "sleep"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_only_realtime_files_sleep(path: Path) -> None:
    assert sleeps(path.read_text(encoding="utf-8")) == []


def test_who_sleeps_is_noticed() -> None:
    assert sleeps("import time\n\ndef test():\n    time.sleep(0.1)\n") == [4]
    assert sleeps("from time import monotonic, sleep\n") == [1]
    assert sleeps("server.submit(time.sleep, 1)\nasyncio.sleep(0)\n") == []
