"""Every file in `examples/` is short, runs, leaves nothing behind, and prints what it says it prints.

An example may end with a comment block that starts with `# prints:`; each `#   line` after it must appear in the
output, in that order. `...` in such a line stands for any text.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples").glob("*.py"))
    if sys.version_info < (3, 14) or not path.name.startswith("ray_")  # Ray has no wheels for it
]
LONGEST = 60
LIMIT = 60.0


def run(path: Path, cwd: Path, limit: float = LIMIT) -> str:
    """Run a script to its end and return what it printed; whatever it started ends with it."""
    with subprocess.Popen(
        [sys.executable, str(path)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # or a warning may come between two words of a line
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        try:
            output, log = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, log = process.communicate()
            pytest.fail(f"{path.name} ran for more than {limit:g} s; it printed:\n{output}{log}")
        # Ray's own agents end a little later than Ray.
        left = _kill_group(process.pid) and not path.name.startswith("ray_")
        assert not left, f"{path.name} left a process behind"
    code = process.returncode
    assert code == 0, f"{path.name} exited with {code}:\n{output}{log}"
    return output


def _kill_group(group: int) -> bool:
    """Kill what is left of a process group; tell whether there was anything."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def promised(source: str) -> list[str]:
    """Return the lines of the `# prints:` block at the end of a script."""
    _, found, block = source.rstrip().rpartition("\n# prints:\n")
    lines = block.splitlines()
    if not found or not all(line.startswith("#") for line in lines):
        return []
    return [line.removeprefix("#").strip() for line in lines]


def first_missing(lines: list[str], output: str) -> str | None:
    """Return the first promised line that does not follow its predecessor in the output."""
    printed = iter(output.splitlines())
    for line in lines:
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        if not any(re.fullmatch(pattern, candidate.strip()) for candidate in printed):
            return line
    return None


@pytest.mark.timeout(LIMIT + 15)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_runs_and_prints_what_it_promises(path: Path, tmp_path: Path) -> None:
    output = run(path, tmp_path)
    missing = first_missing(promised(path.read_text(encoding="utf-8")), output)
    assert missing is None, (
        f"{path.name} never printed {missing!r} (in order); it printed:\n{output}"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


# ── the checker itself ───────────────────────────────────────────────────────────────────────────


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_failing_example_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exited with 3"):
        run(script(tmp_path, "raise SystemExit(3)"), tmp_path)


def test_a_hanging_example_is_killed(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"more than 0\.5 s"):
        run(script(tmp_path, "import signal; signal.pause()"), tmp_path, limit=0.5)


def test_a_process_left_behind_is_noticed(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],\n"
        "                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    )
    with pytest.raises(AssertionError, match="left a process behind"):
        run(script(tmp_path, text), tmp_path)


def test_promised_lines_are_read_from_the_last_block() -> None:
    source = 'print("a")\n\n# prints:\n#   a\n#   took ... s\n'
    assert promised(source) == ["a", "took ... s"]
    assert promised('print("a")\n') == []
    assert promised('# prints:\n#   a\nprint("a")\n') == []


def test_promised_lines_are_wanted_in_order() -> None:
    output = "a\nb took 2 s\nc\n"
    assert first_missing(["a", "b took ... s", "c"], output) is None
    assert first_missing(["b ...", "a"], output) == "a"
    assert first_missing(["b"], output) == "b"
