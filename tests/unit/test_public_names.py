"""What a user gets: the names at the top, the type hints, and the package that was meant to be tested."""

import os
import sysconfig
from importlib.metadata import version
from pathlib import Path

import timeouts

LISTED = Path(__file__).with_name("public_names.txt")
UPDATE = f"""\
the public names changed; if that is meant, write them down (and tell users in CHANGELOG.md):

    python -c "import timeouts; print(*timeouts.__all__, sep=chr(10))" > {os.path.relpath(LISTED)}
"""


def test_public_names_are_those_written_down() -> None:
    listed = LISTED.read_text(encoding="utf-8").split()
    added = sorted(set(timeouts.__all__) - set(listed))
    gone = sorted(set(listed) - set(timeouts.__all__))
    assert (added, gone) == ([], []), UPDATE
    assert listed == sorted(listed), UPDATE


def test_public_names_are_sorted_and_unique() -> None:
    assert list(timeouts.__all__) == sorted(set(timeouts.__all__))


def test_public_names_can_be_imported() -> None:
    assert [name for name in timeouts.__all__ if not hasattr(timeouts, name)] == []


def test_dir_shows_every_public_name() -> None:
    assert set(timeouts.__all__) <= set(dir(timeouts))


def package() -> Path:
    assert timeouts.__file__ is not None
    return Path(timeouts.__file__).resolve().parent


def test_type_hints_are_shipped() -> None:
    assert (package() / "py.typed").exists()


def test_the_version_is_that_of_the_distribution() -> None:
    """The number stands in `pyproject.toml` alone."""
    assert version("timeouts")
    assert not hasattr(timeouts, "__version__")


def test_the_package_under_test_is_the_one_that_was_meant() -> None:
    """`make check` sets the variable: then a wheel was installed, and `src/` must not have got in its way."""
    expected = Path(__file__).resolve().parents[2] / "src"
    if os.environ.get("TESTED_AS") == "wheel":
        expected = Path(sysconfig.get_path("purelib")).resolve()
    assert package().parent == expected
