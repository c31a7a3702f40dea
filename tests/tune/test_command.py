"""`timeouts tune`: what it reads, prints and writes, and what it refuses."""

from __future__ import annotations

import math
import re
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tune.house import EXPONENTIAL, trace, write
from timeouts import cli
from timeouts.serve.admissions import ADMISSIONS
from timeouts.serve.disciplines import DISCIPLINES
from timeouts.serve.plan import plan as serving
from timeouts.sim.served import served
from timeouts.sim.workers import Kill
from timeouts.tune import Finding, Setting, Task
from timeouts.tune.blocks import Interval
from timeouts.tune.document import document
from timeouts.tune.finding import Row
from timeouts.tune.plan import plan

testing = pytest.importorskip("typer.testing")
pytestmark = pytest.mark.timeout(120)
TRACE = trace(1.5, EXPONENTIAL, 12)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "trace.jsonl", TRACE)
    return tmp_path


def run(*arguments: Any) -> tuple[int, str, str]:
    words = ["tune", "--processes", "1", *map(str, arguments)]
    result = testing.CliRunner().invoke(cli.app(), words, env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


GIVEN = ("--trace", "trace.jsonl", "--deadline", "150ms", "--slots", "4")


# ── what is printed ──────────────────────────────────────────────────────────────────────────────


def test_what_is_printed_is_a_file_that_serve_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(*GIVEN, "--stop", "kill", "--recovery", "50ms", "--write", "new.toml")
    assert code == 0, out
    assert (folder / "new.toml").read_text() == out
    assert re.search(r"# Gain: \d+\.\d more of 100 requests .*; 95 % interval: \d+\.\d to", out)
    file = served(Path("new.toml"))
    told = re.search(
        r"# tuned: +gateway 0.15 s, reserve (.+), execution (.+), (.+), admission (.+)\n", out
    )
    assert told is not None
    assert f"reserve = {told[1]} }}\n" in out
    assert f"execution = {told[2]}\n" in out
    assert (file.slots, file.capacity, file.workers) == (4, 1000, "process")
    assert (file.discipline, file.admission) == (told[3], told[4])
    module = ModuleType("a_tuned_model")
    module.predict = lambda x: x  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_tuned_model", module)
    (route,) = serving("a_tuned_model:predict", {"workers": "thread"}, Path("new.toml")).routes
    assert route.limits == file.limits
    assert route.options["discipline"].value == told[3]


def test_the_same_trace_and_seed_print_the_same_bytes(folder: Path) -> None:
    one, two, other = (run(*GIVEN, "--seed", seed)[1] for seed in (1, 1, 2))
    assert one == two
    assert one != other, "the interval is drawn"


def test_nothing_to_gain_is_said_plainly_and_nothing_is_written(folder: Path) -> None:
    code, out, error = run(*GIVEN, "--load", "0.3", "--write", "new.toml")
    assert code == 0
    assert "# No gain is to be seen: " in out or "# Too little to be worth a change: " in out
    assert "Leave the limits as they are." in out
    assert tomllib.loads(out) == {}
    assert not (folder / "new.toml").exists()
    assert "nothing is to be changed, and new.toml was not written" in error


def test_a_configuration_of_ones_own_is_what_is_compared_with(folder: Path) -> None:
    (folder / "own.toml").write_text(
        '[timeouts]\ngateway = { timeout = 0.2, reserve = 0 }\n[serve]\ndiscipline = "lifo"\n'
        'workers = "task"\n[routes."/embed"]\nhandler = "m:f"\nslots = 3\ncapacity = 7\n'
    )
    code, out, _ = run(
        *GIVEN[:4], "--against", "own.toml", "--route", "/embed", "--load", "1,1.3"
    )  # fmt: skip
    assert code == 0, out
    assert re.search(r"# as it is: GatewayTimeout\(0\.2.*\), lifo, admission none\n", out)
    assert "runs are cancelled, load 1, 1.3: 1 is as it was recorded" in out
    if "[serve]" in out:
        assert 'workers = "task"\nslots = 3\ncapacity = 7\n' in out


def test_a_range_of_slots_is_a_table(folder: Path) -> None:
    _, out, _ = run(*GIVEN[:4], "--slots", "4..6")
    table = out.partition("With other numbers of slots")[2]
    assert re.findall(r"#    1 +(\d) ", table) == ["4", "5", "6"]


def test_runs_that_were_stopped_are_counted(folder: Path) -> None:
    lines = (folder / "trace.jsonl").read_text().splitlines()
    cut = [
        line.replace("}", ', "stopped": true}') if n % 10 == 0 else line
        for n, line in enumerate(lines)
    ]
    (folder / "trace.jsonl").write_text("\n".join(cut))
    _, out, _ = run(*GIVEN)
    assert f"# {math.ceil(len(lines) / 10)} of them were stopped or never ran" in out


def test_budgets_of_the_trace_stand_for_the_deadline(folder: Path) -> None:
    write(folder / "trace.jsonl", TRACE, budget=0.15)
    _, out, _ = run("--trace", "trace.jsonl", "--slots", "4")
    assert "# deadline 0.15 s, " in out


def test_help_names_the_options() -> None:
    _, out, _ = run("--help")
    for option in ("--trace", "--deadline", "--slots", "--against", "--load", "--recovery",
                   "--seed", "--write", "--jobs"):  # fmt: skip
        assert option in out


# ── every setting, written and read ──────────────────────────────────────────────────────────────

durations = st.integers(1, 999).map(lambda number: number / 1000)
settings = st.builds(
    Setting,
    st.integers(1, 50),
    st.integers(0, 149).map(lambda number: number / 1000) | st.just("auto"),
    durations | st.sampled_from(["auto", math.inf]),
    st.sampled_from(list(DISCIPLINES)),
    st.sampled_from(list(ADMISSIONS)),
)


def finding(setting: Setting, task: Task) -> Finding:
    row = Row(1.0, setting.slots, 10.0, 5.0, 0.0, 0.0)
    before = task.baseline(setting.slots)
    sure = Interval(0.1, 0.3)
    return Finding(task, before, setting, (row,), (), 0.2, sure, 0.15, 500, 10)


TASK = Task(TRACE, 0.15, (4,), stop=Kill(2), capacity=20)


@pytest.mark.filterwarnings("ignore::timeouts.stack.UselessPolicyWarning")
@given(settings, st.sampled_from(["task", "thread", "process", None]))
def test_what_is_written_is_what_was_simulated(setting: Setting, workers: str | None) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "written.toml"
        path.write_text(document(finding(setting, TASK), "a trace", workers), encoding="utf-8")
        file = served(path)
    assert file.limits == setting.rule(TASK.deadline).limits
    assert (file.slots, file.capacity) == (setting.slots, 20)
    assert (file.discipline, file.admission) == (setting.discipline, setting.admission)
    assert file.workers == workers


def test_a_fixed_reserve_is_shown_beside_the_learned_one() -> None:
    text = document(finding(Setting(4, 0.05), TASK), "a trace", None)
    assert '# With reserve = "auto", which follows the work when it changes: 15.0 more.\n' in text
    assert (
        "# Gain: 20.0 more of 100 requests are answered in time; 95 % interval: 10.0 to 30.0.\n"
        in text
    )
    assert "runs are killed, and their workers back after 2 s" in text
    assert 'reserve = 0.05 }\nqueue = "none"\nexecution = "none"\n' in text
    assert " -\n" in text, "of no limit there is no share"


# ── what makes no sense ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--trace", "no.jsonl"), "--trace: no.jsonl cannot be read: No such file"),
        (("--trace", "bad.jsonl"), "--trace: bad.jsonl, line 1: service is missing"),
        (("--trace", "short.jsonl"), "short.jsonl: the trace is too short to tell anything: it has"),
        (("--deadline", "0"), "--deadline: .*; got '0'"),
        (("--deadline", "none"), "--deadline: .*; got 'none'"),
        (("--slots", "many"), "--slots must be a number such as 4, or a range .*; got 'many'"),
        (("--slots", "8..1"), "--slots must go from 1 or more upwards.*; got '8..1'"),
        (("--slots", "0"), "--slots must go from 1 or more upwards.*; got '0'"),
        (("--slots", "1..1001"), "--slots must go .* to 1000; got '1..1001'"),
        (("--load", "high"), "--load: write numbers such as .*; got 'high'"),
        (("--load", "1,0"), "--load: each load must be more than 0; got '1,0'"),
        (("--recovery", "-1"), "--recovery: .*; got '-1'"),
        (("--recovery", "1", "--stop", "cancel"), "--recovery is for workers that are killed; .* cancel"),
        (("--against", "no.toml"), "no.toml cannot be read: No such file"),
        (("--against", "own.toml", "--route", "/x"), "own.toml has no route '/x'"),
        (("--against", "bad.toml"), "bad.toml: capacity must be at least 0; got -1"),
        (("--write", "trace.jsonl"), "--write: trace.jsonl is there already; --overwrite replaces it"),
        (("--write", "no/new.toml"), "--write: no/new.toml cannot be written"),
        (("--write", ".", "--overwrite"), r"--write: \. cannot be written"),
        (("--overwrite",), "--overwrite is for --write, which is missing"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    arguments: tuple[str, ...], words: str, folder: Path
) -> None:
    (folder / "own.toml").write_text("[timeouts]\ngateway = { timeout = 1, reserve = 0 }\n")
    (folder / "bad.toml").write_text("[serve]\ncapacity = -1\n")
    (folder / "bad.jsonl").write_text('{"arrival": 0}\n')
    write(folder / "short.jsonl", trace(1, EXPONENTIAL, 2))
    code, out, error = run(*GIVEN, *arguments)
    error += out  # where the runner puts the last words of `sys.exit`
    assert code == 1
    assert re.search(words, error), error
    assert error.startswith("timeouts: ")
    assert error.count("\n") == 1


def test_what_is_missing_is_asked_for(folder: Path) -> None:
    assert "--slots is missing: how many may run at once?" in run(*GIVEN[:4])[1]
    assert "--deadline is missing: after how many seconds" in run(*GIVEN[:2], *GIVEN[4:])[1]
    code, _, error = run(*GIVEN[2:])
    assert (code, "--trace" in error) == (2, True)


def test_overwriting_is_done_when_told(folder: Path) -> None:
    (folder / "new.toml").write_text("old")
    assert run(*GIVEN, "--write", "new.toml", "--overwrite")[0] == 0
    assert "[timeouts]" in (folder / "new.toml").read_text()


def test_a_long_trace_is_made_short(folder: Path) -> None:
    said: dict[str, Any] = {
        "trace": Path("trace.jsonl"), "deadline": "0.1", "slots": "4", "against": None,
        "route": "/predict", "load": "1", "stop": None, "recovery": None, "jobs": 1000,
        "processes": 3, "seed": 7, "write": None, "overwrite": False,
    }  # fmt: skip
    chosen = plan(said)
    assert len(chosen.task.trace.recorded) == 1000 < len(TRACE.recorded)
    assert (chosen.processes, chosen.task.seed, chosen.task.stop) == (3, 7, "abandon")
    assert chosen.workers is None
    assert plan({**said, "recovery": "2"}).task.stop == Kill(2)
    assert plan({**said, "recovery": "2"}).workers == "process"
    assert plan({**said, "stop": "cancel"}).workers == "task"
    assert plan({**said, "processes": None}).processes >= 1


@pytest.mark.parametrize("guest", ["typer", "rich.console"])
def test_a_missing_extra_is_one_line(
    guest: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "timeouts.tune.main", raising=False)
    monkeypatch.setitem(sys.modules, guest, None)
    monkeypatch.setattr(sys, "argv", ["timeouts", "tune", *GIVEN])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    name = guest.partition(".")[0]
    assert exit_.value.code == f'timeouts: {name} is not installed: pip install "timeouts[sim]"'
