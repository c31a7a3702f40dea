"""`make mutants` fails where survivors and their list differ, either way."""

import pytest

from tools.mutants import LIST, Mutant, judge, listed, sort

HEAP = Mutant("src/timeouts/heap.py", "self._next = 0", "self._next = 1")
BASE = Mutant("src/timeouts/policy/base.py", "return a", "return b")


def test_the_list_is_what_survived() -> None:
    assert judge([HEAP, BASE], [], [BASE, HEAP]) == 0
    assert judge([], [], []) == 0


def test_an_unlisted_survivor_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge([HEAP, BASE], [], [BASE]) == 1
    assert "SURVIVED | `src/timeouts/heap.py:" in capsys.readouterr().out


@pytest.mark.parametrize("row", [HEAP, HEAP._replace(file="src/timeouts/gone.py")])
def test_a_stale_row_fails(row: Mutant, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge([BASE], [], [BASE, row]) == 1
    assert f"STALE    | `{row.file}:" in capsys.readouterr().out


def test_the_row_of_a_mutant_that_hung_is_not_stale() -> None:
    assert judge([], [HEAP], [HEAP]) == 0


def test_rows_of_files_that_were_not_mutated_are_left_alone() -> None:
    assert judge([], [], [HEAP], ["core.py", "policy/*"]) == 0
    assert judge([], [], [BASE], ["core.py", "policy/*"]) == 1


def test_what_mutmut_says_is_read() -> None:
    said = "    a__mutmut_1: survived\n    a__mutmut_2: no tests\n    b__mutmut_1: timeout\n\n    c: killed\n"
    assert sort(said) == (["a__mutmut_1", "a__mutmut_2"], ["b__mutmut_1"])


def test_every_row_of_the_list_is_read() -> None:
    text = LIST.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(listed(text)) == len(rows) > 0
