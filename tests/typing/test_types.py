"""The type hints are tested by mypy and pyright, which read `guarded_types.py` in `make check`."""

from __future__ import annotations

from tests.typing import guarded_types


def test_what_the_type_checkers_read_is_true_at_run_time() -> None:
    """The same calls, made: the declared results are the real ones."""
    assert guarded_types.plain(1) == "1"
    assert guarded_types.plain.submit(1).result() == "1"
    assert list(guarded_types.generator(7)) == [7]
    assert guarded_types.Model().predict(2) == b"\0\0"
