"""The reference keeps its promises: one page per policy from one template, and drawings of the code as it is."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import timeouts
from timeouts import Policy, TimeoutsError, testing
from timeouts.job import TRANSITIONS, Event

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
TEMPLATE = [
    "Parameters",
    "On expiry",
    "By kind of worker",
    "The error",
    "Anti-patterns",
    "API",
]


@pytest.fixture
def diagrams(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("diagrams", ROOT / "docs" / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "diagrams", module)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_the_one_that_the_table_makes(diagrams: ModuleType) -> None:
    assert diagrams.PICTURE.read_text(encoding="utf-8") == diagrams.picture(), diagrams.__doc__


def test_the_page_holds_the_table(diagrams: ModuleType) -> None:
    text = diagrams.PAGE.read_text(encoding="utf-8")
    assert diagrams.BEGIN in text
    assert text == diagrams.page(text), diagrams.__doc__


def test_the_picture_shows_every_transition(diagrams: ModuleType) -> None:
    drawn = diagrams.picture()
    for event in Event:
        expected = sum(event in events for events in TRANSITIONS.values())
        assert drawn.count(f">{event}<") == expected, event


def policies() -> list[type[Policy]]:
    public = (getattr(timeouts, name) for name in timeouts.__all__)
    return [
        cls
        for cls in public
        if isinstance(cls, type) and issubclass(cls, Policy) and cls is not Policy
    ]


def stem(cls: type[Policy]) -> str:
    """One policy, one file, one error, one page: the same stem."""
    return cls.__module__.rpartition(".")[2]


@pytest.mark.parametrize("cls", policies(), ids=stem)
def test_every_policy_has_a_page_from_the_template(cls: type[Policy]) -> None:
    page = (REFERENCE / f"{stem(cls)}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {cls.__name__}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == TEMPLATE
    assert f"::: timeouts.{cls.__name__}\n" in page
    assert f"`{cls.error.__name__}`" in page
    assert f"`{timeouts.STATUSES.of(cls.error()).grpc}`" in page
    assert f"| {timeouts.STATUSES.of(cls.error()).http} |" in page


def test_the_page_of_errors_names_every_error_with_its_codes() -> None:
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    public = (getattr(timeouts, name) for name in timeouts.__all__)
    errors = [cls for cls in public if isinstance(cls, type) and issubclass(cls, TimeoutsError)]
    tops = {timeouts.TimeoutsError, timeouts.Rejected, timeouts.DeadlineExceeded}
    for error in set(errors) - tops:
        status = timeouts.STATUSES.of(error())
        row = rf"^\| `{error.__name__}` \| {status.http} \| `{status.grpc}` \|"
        assert re.search(row, page, re.MULTILINE), error


def test_all_of_timeouts_testing_is_on_its_page() -> None:
    page = (REFERENCE / "testing.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: timeouts\.testing\.(\w+)$", page, re.MULTILINE))
    assert shown == set(testing.__all__)


def test_every_public_name_is_in_the_reference() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md"))
    assert [name for name in timeouts.__all__ if not re.search(rf"\b{name}\b", pages)] == []
