"""Every Python block of the README and the docs does what it says.

The blocks of one page run in order and share one namespace, as a reader would type them. A block fenced as
```` ```python no-run ```` is only compiled; one that holds `>>>` is checked as a doctest. A page may `await` at the top
level, as in `python -m asyncio`. What stands in a ```` ```text ```` block right below one that runs is what that one prints;
of figures it is only asked that there is one, since times are measured.
"""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")] if path.exists())

_OPENING = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_FIGURE = re.compile(r"\d+(\.\d+)?")


class Block(NamedTuple):
    """The code between two fences: where it stands, what is to be done with it, and what it promises to print."""

    line: int
    code: str
    run: bool
    prints: str | None = None

    @property
    def is_doctest(self) -> bool:
        return any(line.lstrip().startswith(">>> ") for line in self.code.splitlines())


class Fenced(NamedTuple):
    """What stands between two fences, whatever it is."""

    line: int
    language: str
    words: list[str]
    body: list[str]


def fenced(markdown: str) -> Iterator[Fenced]:
    """Yield the fenced blocks of a page; a fence inside a longer fence is text."""
    lines = enumerate(markdown.splitlines(), start=1)
    for number, line in lines:
        opening = _OPENING.match(line)
        if opening is None:
            continue
        body = []
        for _, inner in lines:
            closing = inner.strip()
            if closing.startswith(opening["fence"]) and not closing.strip(closing[0]):
                break
            body.append(inner)
        language, *words = opening["info"].split() or [""]
        yield Fenced(number + 1, language, words, body)


def python_blocks(markdown: str) -> Iterator[Block]:
    """Yield the Python blocks of a page, each with the text right below it."""
    for block, below in pairwise([*fenced(markdown), Fenced(0, "", [], [])]):
        if block.language == "python":
            code = textwrap.dedent("\n".join(block.body)) + "\n"
            follows = below.line == block.line + len(block.body) + 3  # a fence, nothing, a fence
            prints = "\n".join(below.body) if follows and below.language == "text" else None
            yield Block(block.line, code, "no-run" not in block.words, prints)


def compiled(block: Block, filename: str) -> CodeType:
    """Compile so that a traceback names the page and the line on it."""
    source = "\n" * (block.line - 1) + block.code
    code = compile(
        source, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    assert isinstance(code, CodeType)
    return code


def execute(code: CodeType, namespace: dict[str, object]) -> None:
    result = eval(code, namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def check_doctest(block: Block, filename: str, namespace: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.code, {}, filename, filename, block.line - 1)
    test.globs = namespace
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    result = runner.run(test, out=told.append, clear_globs=False)
    if result.failed:
        pytest.fail("".join(told), pytrace=False)


def without_figures(text: str) -> str:
    return _FIGURE.sub("#", text).strip()


def check_page(path: Path, page: ModuleType) -> None:
    for block in python_blocks(path.read_text(encoding="utf-8")):
        if block.is_doctest and block.run:
            check_doctest(block, str(path), vars(page))
        elif block.is_doctest:
            doctest.DocTestParser().get_examples(block.code)
        elif block.run:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                execute(compiled(block, str(path)), vars(page))
            if block.prints is not None:
                assert without_figures(printed.getvalue()) == without_figures(block.prints)
        else:
            compiled(block, str(path))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """An empty `__main__` in an empty folder: what a page starts from."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.chdir(tmp_path)
    return module


@pytest.mark.realtime
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_of_the_page_do_what_they_say(path: Path, page: ModuleType) -> None:
    check_page(path, page)


# ── the checker itself ───────────────────────────────────────────────────────────────────────────


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "page.md"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_blocks_share_one_namespace_in_order(page: ModuleType, tmp_path: Path) -> None:
    text = """
        ```python
        x = 1
        ```
        !!! note
            ```python title="indented"
            x = await __import__("asyncio").sleep(0, x + 1)
            ```
        ```python
        >>> x
        2
        >>> x = 3
        ```
        """
    check_page(written(tmp_path, text), page)
    assert vars(page)["x"] == 3


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("```python\n1 / 0\n```", ZeroDivisionError),
        ("```python\n>>> 1 + 1\n3\n```", pytest.fail.Exception),
        ("```python no-run\n1 +\n```", SyntaxError),
        ("```python no-run\n>>> 1\nx\n  >>> 2\n ...3\n```", ValueError),
        ("~~~~python\n1 / 0\n~~~~", ZeroDivisionError),
        ("```python\nprint(1, 'a')\n```\n\n```text\n1 b\n```", AssertionError),
        ("```python\nprint(1)\n```\n\n```text\n1\n2\n```", AssertionError),
    ],
)
def test_a_wrong_block_fails(
    block: str, error: type[BaseException], page: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(error):
        check_page(written(tmp_path, block), page)


@pytest.mark.parametrize(
    "text",
    [
        "```python no-run\n1 / 0\n```",
        "```\n1 / 0\n```",
        "```console\n$ 1 / 0\n```",
        "````markdown\n```python\n1 / 0\n```\n````",
        "`1 / 0`",
        "```python\nprint('ran for', 0.201, 's')\n```\n\n```text\nran for 0.2 s\n```",
        "```python\nprint(1)\n```\n\nSomething else\n\n```text\n2\n```",
        "```python no-run\nprint(1)\n```\n\n```text\nx\n```",
    ],
)
def test_what_is_not_to_run_does_not_run_and_what_is_not_promised_is_not_asked_for(
    text: str, page: ModuleType, tmp_path: Path
) -> None:
    check_page(written(tmp_path, text), page)


def test_a_traceback_names_the_line_on_the_page(page: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        check_page(written(tmp_path, "one\n\n```python\nx = 1\n\n1 / 0\n```\n"), page)
    assert (Path(caught.traceback[-1].path).name, caught.traceback[-1].lineno + 1) == ("page.md", 6)
