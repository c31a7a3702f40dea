"""A page that quotes an example quotes the whole of it, as it is in `examples/`."""

from pathlib import Path

import pytest

from tests.docs.test_code_blocks import PAGES, ROOT, python_blocks

EXAMPLES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py")}
QUOTED = {ROOT / "examples" / "own_adapter.py"}


def quotes(markdown: str) -> list[tuple[Path, str]]:
    """Return the examples that a page quotes, by their first lines, and how it quotes them."""
    return [
        (path, block.code)
        for block in python_blocks(markdown)
        for path, source in EXAMPLES.items()
        if block.code.partition("\n")[0] == source.partition("\n")[0]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_quotes_are_whole(page: Path) -> None:
    for path, quoted in quotes(page.read_text(encoding="utf-8")):
        source = EXAMPLES[path].partition("\n\n# prints:")[0].rstrip() + "\n"
        assert quoted == source, f"{page.name} quotes another {path.name}"


def test_what_is_to_be_quoted_is() -> None:
    found = {path for page in PAGES for path, _ in quotes(page.read_text(encoding="utf-8"))}
    assert found >= QUOTED
