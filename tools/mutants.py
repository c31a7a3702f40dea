# ruff: noqa: INP001, T201
"""Mutation testing of the pure modules: change the code in small ways and see which tests notice.

    python tools/mutants.py                     # all pure modules
    python tools/mutants.py core.py heap.py     # only these files of src/timeouts

Runs mutmut on a copy of the tree in a temporary folder, with the tests of the pure modules: `tests/core`,
`tests/discipline`, `tests/estimate` and some of `tests/unit`. A survivor that `tests/mutants_survivors.md` does
not list with a reason is printed and makes the exit status 1; so does a row of that list whose
mutant does not survive, or is no longer made.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tests" / "mutants_survivors.md"
FILES = (
    *("core.py", "stack.py", "job.py", "deadline.py", "heap.py", "pace.py", "commands.py"),
    *("explain.py", "learned.py", "outcome.py", "errors.py", "statuses.py", "callsite.py"),
    *("policy/*", "discipline/*", "admission/*", "estimate/*"),
)
UNITS = (
    *("deadline", "errors", "heap", "learned", "outcome", "pace", "policy_words", "soft_limit"),
    *("stack", "stack_of_strangers"),
)
TESTS = (
    *("tests/core", "tests/discipline", "tests/estimate"),
    *(f"tests/unit/test_{name}.py" for name in UNITS),
)
# mutmut calls mutated functions through trampolines: these tests look at frames and would see those.
FRAMES = "not users_line and not no_cycle"
CONFIG = """
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--import-mode=importlib", "-q", "-x", "-p", "no:cacheprovider"]
filterwarnings = ["error"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = {only}
pytest_add_cli_args = ["-k", "{frames}"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
"""
PROFILE = """

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=60,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutants")
"""
_ROW = re.compile(r"\| `(?P<file>[^`:]+):\d+` \| `(?P<old>.*)` → `(?P<new>.*)` \| .+ \|")


class Mutant(NamedTuple):
    """One change that no test noticed."""

    file: str
    old: str
    new: str


class Names(NamedTuple):
    """What mutmut calls the mutants that were not killed."""

    survived: list[str]
    hung: list[str]


def main(files: list[str]) -> int:
    """Run, print what survived, and say whether all of that was known."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        prepare(tree, files or list(FILES))
        mutmut(tree, "run", "--max-children", "2")
        names = sort(mutmut(tree, "results"))
        survivors = [examine(tree, name) for name in names.survived]
        hung = [examine(tree, name) for name in names.hung]
    return judge(survivors, hung, listed(LIST.read_text(encoding="utf-8")), files)


def judge(
    survivors: Sequence[Mutant],
    hung: Iterable[Mutant],
    known: Collection[Mutant],
    files: Sequence[str] = (),
) -> int:
    """Print how survivors and list differ; return 1 if they do.

    A mutant that hung was noticed, but on another machine it may be only slow: its row is not stale.
    Rows of other files than those that were mutated (none named: all) are left alone.
    """
    unlisted = [mutant for mutant in survivors if mutant not in known]
    seen = {*survivors, *hung}
    stale = [mutant for mutant in known if mutant not in seen and was_mutated(mutant, files)]
    for mutant in survivors:
        print(f"{'SURVIVED' if mutant in unlisted else 'known   '} {row(mutant)}")
    for mutant in stale:
        print(f"STALE    {row(mutant)}")
    print(
        f"{len(survivors)} survived, {len(unlisted)} of them not listed in {LIST.name}; "
        f"{len(stale)} stale rows there"
    )
    return 1 if unlisted or stale else 0


def was_mutated(mutant: Mutant, files: Sequence[str]) -> bool:
    """Tell whether a mutant's file is one of those named."""
    return not files or any(fnmatchcase(mutant.file, f"src/timeouts/{name}") for name in files)


def prepare(tree: Path, files: list[str]) -> None:
    """Copy sources and tests, and give the copy a configuration of its own."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tree / "src", ignore=ignore)
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=ignore)
    (tree / "README.md").touch()
    only = [f"src/timeouts/{name}" for name in files]
    config = CONFIG.format(only=only, frames=FRAMES, tests=list(TESTS))
    (tree / "pyproject.toml").write_text(config, encoding="utf-8")
    with (tree / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(PROFILE)


def mutmut(tree: Path, *args: str) -> str:
    """Run a mutmut command in the tree; `run` shows its progress, the others return their output."""
    shown = args[0] == "run"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mutmut", *args],
        cwd=tree,
        text=True,
        stdout=None if shown else subprocess.PIPE,
        check=True,
    )
    return done.stdout or ""


def sort(results: str) -> Names:
    """Read what `mutmut results` says; one that no test reached has survived."""
    lines = [line.strip().partition(": ") for line in results.splitlines()]
    return Names(
        [name for name, _, status in lines if status not in {"", "killed", "timeout"}],
        [name for name, _, status in lines if status == "timeout"],
    )


def examine(tree: Path, name: str) -> Mutant:
    """Read the diff of one mutant."""
    lines = mutmut(tree, "show", name).splitlines()
    file = next(line for line in lines if line.startswith("--- ")).split()[1]
    file = file.removeprefix("a/").removeprefix("mutants/")

    def changed(sign: str) -> str:
        return " ".join(
            line[1:].strip() for line in lines if line[0:1] == sign and line[0:3] != sign * 3
        )

    return Mutant(file, changed("-"), changed("+"))


def row(mutant: Mutant) -> str:
    """Write a mutant as the list does, but for the reason."""
    path = ROOT / mutant.file
    source = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = (n for n, line in enumerate(source, 1) if mutant.old.startswith(line.strip() or "?"))
    return f"| `{mutant.file}:{next(lines, 1)}` | `{mutant.old}` → `{mutant.new}` |"


def listed(text: str) -> list[Mutant]:
    """Return the survivors that a list names with a reason, in its order."""
    return [Mutant(**found.groupdict()) for found in _ROW.finditer(text)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
