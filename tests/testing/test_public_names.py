"""`timeouts.testing` gives its names, and asks for Hypothesis only when it is needed."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import timeouts
from timeouts import testing

LAZY = ["check_discipline", "check_policy", "durations", "jobs", "policies", "scripts", "stacks"]


@contextmanager
def without_hypothesis() -> Iterator[ModuleType]:
    """Hide Hypothesis and give `timeouts.testing` as it is imported then.

    No fixture: between a fixture and its test Hypothesis' own pytest plugin looks for Hypothesis.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeouts, "testing", testing)  # put back afterwards
        for name in [name for name in sys.modules if name.split(".")[0] == "hypothesis"]:
            patch.setitem(sys.modules, name, None)
        for name in [name for name in sys.modules if name.startswith("timeouts.testing")]:
            patch.delitem(sys.modules, name)
        yield importlib.import_module("timeouts.testing")


def test_public_names_are_sorted_and_can_be_had() -> None:
    """`dir` shows them, those not imported yet as well."""
    assert testing.__all__ == sorted(set(testing.__all__))
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []
    assert set(LAZY) < set(dir(testing))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """In Python's own words."""
    with pytest.raises(AttributeError, match=r"module 'timeouts\.testing' has no attribute 'nope'"):
        _ = testing.nope


def test_the_clocks_need_no_hypothesis() -> None:
    """The package can be imported, and everything in it that is no strategy and no law."""
    with without_hypothesis() as fresh:
        assert fresh is not testing
        eager = set(testing.__all__) - set(LAZY)
        assert {name for name in eager if not hasattr(fresh, name)} == set()


@pytest.mark.parametrize("name", LAZY)
def test_what_needs_hypothesis_says_which_extra_brings_it(name: str) -> None:
    """The message can be pasted into a shell."""
    message = r'pip install "timeouts\[testing\]"'
    with without_hypothesis() as fresh, pytest.raises(ImportError, match=message):
        getattr(fresh, name)


def test_files_are_short_and_say_what_they_hold() -> None:
    """One notion per file, at most 200 lines, its law at the top."""
    assert testing.__file__ is not None
    for path in Path(testing.__file__).parent.glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 200, path.name
        assert lines[0].startswith('"""'), path.name
