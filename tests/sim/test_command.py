"""`timeouts simulate`: what it reads, what it prints, and what it refuses."""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, cli, discipline
from timeouts.serve.disciplines import DEFAULT
from timeouts.sim import Client, Exponential, Poisson, Scenario, simulate
from timeouts.sim.plan import Plan
from timeouts.sim.served import served

testing = pytest.importorskip("typer.testing")
Console = pytest.importorskip("rich.console").Console
tables = pytest.importorskip("timeouts.sim.tables").tables

CONFIG = """
[timeouts]
gateway = { timeout = "1s", reserve = "500ms" }
execution = "none"

[serve]
slots = 4
capacity = 50

[routes."/embed"]
handler = "model:embed"
workers = "process"
slots = 2
discipline = "lifo"
timeouts = { queue = 0.1 }
"""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "timeouts.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(*arguments: Any) -> tuple[int, str]:
    words = ["simulate", *map(str, arguments)]
    result = testing.CliRunner().invoke(cli.app(), words, env={"COLUMNS": "200"})
    return result.exit_code, COLOURS.sub("", result.output)


def rows(output: str) -> list[list[str]]:
    """Return the words of the lines that begin with a load."""
    lines = (line.split() for line in output.splitlines())
    return [words for words in lines if words and re.fullmatch(r"[\d.]+", words[0])]


SHORT = ("--service", "exp:100ms", "--deadline", "1", "--duration", "5")


def test_each_load_has_a_row(config: Path) -> None:
    code, output = run(config, "--load", "0.5,2", *SHORT)
    assert code == 0
    first, second, *_ = rows(output)
    assert (first[0], second[0]) == ("0.5", "2")
    assert (first[4], second[4]) == ("arrivals", "workers")
    assert float(second[1]) > 3 * float(first[1])
    assert "GatewayTimeout(1, reserve=0.5), 4 slots, work cannot be stopped" in output
    assert "gateway_timeout" in output


def test_the_same_seed_prints_the_same(config: Path) -> None:
    one, two, other = (run(config, "--load", "2", "--seed", seed, *SHORT)[1] for seed in (1, 1, 2))
    assert one == two != other


def test_a_trace_is_replayed_as_it_was_or_at_a_load(config: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    lines = [f'{{"arrival": {n / 10}, "service": 0.2, "key": "{n % 2}"}}\n' for n in range(100)]
    trace.write_text("".join(lines))
    code, output = run(config, "--trace", trace)
    assert code == 0
    assert rows(output)[0][:3] == ["0.5", "10.0", "10.0"]
    assert [words[:2] for words in rows(output)[1:3]] == [["0.5", "0"], ["0.5", "1"]]
    assert float(rows(run(config, "--trace", trace, "--load", "4")[1])[0][1]) == 80


def test_mixed_deadlines_are_kinds_of_callers(config: Path) -> None:
    _, output = run(
        config, "--load", "2", "--service", "constant:0.1", "--deadline", "300ms,3",
        "--at-deadline", "tells", "--duration", "10",
    )  # fmt: skip
    assert "by kind of caller" in output
    assert {words[1] for words in rows(output)[1:3]} == {"0.3", "3"}


def test_a_route_has_its_own_limits_and_workers(config: Path) -> None:
    kill = ("--recovery", "300ms", "--spares", "1")
    code, output = run(config, "--route", "/embed", "--load", "2", *kill, *SHORT)
    assert code == 0
    assert "GatewayTimeout(1, reserve=0.5) | QueueTimeout(0.1), 2 slots" in output
    assert "workers are killed and back after 0.3 s, spares: 1" in output
    assert "queue_timeout" in output


def test_jobs_say_how_long_in_other_words(config: Path) -> None:
    _, output = run(config, "--load", "1", "--service", "constant:0.1", "--jobs", "400")
    assert 300 < sum(int(word) for word in rows(output)[-1][1:]) < 500


def test_the_same_run_is_the_same_picture(config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    for picture in (one, two):
        code, output = run(config, "--load", "0.5,2,9", "--plot", picture, *SHORT)
        assert code == 0
        assert f"drawn into {picture}" in output.replace("\n", "")
    assert one.stat().st_size > 5000
    assert one.read_bytes() == two.read_bytes()


def test_one_load_can_be_drawn_as_well(config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert run(config, "--load", "2", "--plot", tmp_path / "run.png", *SHORT)[0] == 0
    assert (tmp_path / "run.png").stat().st_size > 5000


WORK = ("--service", "exp:0.1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--service or --trace is missing"),
        (("--service", "gamma:1"), "--service: write one of .*exp:MEAN.*; got 'gamma:1'"),
        (("--service", "exp"), "--service: write one of"),
        (("--service", "exp:soon"), "--service: its time must be a duration .*; got 'soon'"),
        (("--service", "exp:none"), "--service: .*'none'"),
        (("--service", "lognormal:1:wild"), "--service: 'wild' is no number"),
        ((*WORK, "--stuck", "200%"), "--stuck: share must be .*; got 2.0"),
        ((*WORK, "--stuck", "2%:1"), "--stuck: factor must be greater than 1; got 1"),
        ((*WORK, "--stuck", "many"), "--stuck: 'many' is no number"),
        ((*WORK, "--load", "high"), "--load: write numbers .*; got 'high'"),
        ((*WORK, "--load", "1,0"), "--load: each load must be more than 0; got '1,0'"),
        ((*WORK, "--load", "inf"), "--load: each load must be more than 0; got 'inf'"),
        ((*WORK, "--deadline", "0"), "--deadline: .*; got '0'"),
        ((*WORK, "--deadline", "1,1.0"), "--deadline: each must be another one; got '1,1.0'"),
        ((*WORK, "--duration", "-1"), "--duration: .*; got '-1'"),
        ((*WORK, "--duration", "9", "--jobs", "9"), "--jobs and --duration say the same"),
        ((*WORK, "--discipline", "lilo"), "--discipline: discipline must be one of fifo, .*; got 'lilo'"),
        ((*WORK, "--stop", "kill", "--recovery", "-1"), "--recovery: .*; got '-1'"),
        ((*WORK, "--recovery", "1"), "--recovery is for workers that are killed; .* abandon"),
        ((*WORK, "--stop", "cancel", "--spares", "1"), "--spares is for workers .* cancel"),
        ((*WORK, "--plot", "run.gif"), "--plot must end in one of .png .svg .pdf; got run.gif"),
        ((*WORK, "--plot", "no/such/run.png"), "--plot cannot be written: no/such/run.png"),
        ((*WORK, "--route", "/x"), "has no route '/x'; known are /predict, /embed"),
        (("--trace", "no.jsonl"), "--trace: no.jsonl cannot be read: No such file"),
        (("--trace", "still.jsonl", "--load", "2"), "--load: work that takes no time, .* load of 2"),
        (("--trace", "t", *WORK), "--service cannot go with --trace.*; got exp:0.1"),
        (("--trace", "t", "--jobs", "5"), "--jobs cannot go with --trace.*; got 5"),
        (("--trace", "t", "--deadline", "1,2"), "--deadline must be one with --trace; got '1,2'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    arguments: tuple[str, ...], words: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = "".join(f'{{"arrival": {second}, "service": 0}}\n' for second in range(3))
    Path("still.jsonl").write_text(still)
    code, output = run(config, *arguments)
    assert code == 1
    assert re.search(words, output), output
    assert output.startswith("timeouts: ")
    assert output.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--slots", "0"), ("--jobs", "x"), ("--stop", "maim"), ("--retries", "-1")]
)
def test_a_wrong_option_is_named_by_the_command_line(
    arguments: tuple[str, ...], config: Path
) -> None:
    code, output = run(config, *arguments)
    assert code == 2
    assert arguments[0] in output


@pytest.mark.parametrize("width", [20, 60, 200])
def test_no_number_is_lost_in_a_narrow_terminal(width: int) -> None:
    server: dict[str, Any] = {
        "limits": GatewayTimeout(1, reserve=0.5),
        "slots": 4,
        "stop": "abandon",
    }
    overload = Scenario(Poisson(80), Exponential(0.1), Client(budget=1), duration=5)
    report = simulate(overload, **server)
    printed = StringIO()
    console = Console(width=width, file=printed)
    for table in tables(Plan((), server), [(0.5, report), (2.0, report)], width):
        console.print(table, crop=False)
    text = printed.getvalue()
    figures = [f"{report.goodput:.1f}", f"{report.outcomes['completed']:,}", report.limit.by]
    figures.append(f"{report.latency_p50:.2f} / {report.latency_p99:.2f}")
    for figure in ("0.5", "2", *figures):
        assert f" {figure} " in text
    turned = re.search(r"offered/s +[\d.]+ +[\d.]+ ", text) is not None
    assert turned == (width < 132)


def test_what_is_printed_into_a_file_begins_with_the_table(config: Path) -> None:
    _, output = run(config, "--load", "0.5", *SHORT)
    assert output.startswith("GatewayTimeout(1, reserve=0.5), 4 slots")


def test_a_ctrl_c_while_it_imports_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 130


def test_slots_must_be_said_by_somebody(config: Path) -> None:
    config.write_text("[timeouts]\ngateway = 1\n")
    code, output = run(config, *SHORT)
    assert (code, "--slots is missing" in output) == (1, True)
    assert run(config, "--slots", "2", "--load", "1", *SHORT)[0] == 0


def test_a_bad_file_is_named(config: Path) -> None:
    config.write_text("[timeouts]\nqeue = 5\n")
    code, output = run(config, *SHORT)
    assert code == 1
    assert "'qeue' is no policy" in output
    assert run("nowhere.toml", *SHORT)[1].startswith("timeouts: nowhere.toml cannot be read")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("slots = 0", "timeouts.toml: slots must be at least 1; got 0"),
        ("capacity = -5", "timeouts.toml: capacity must be at least 0; got -5"),
    ],
)
def test_a_number_in_the_file_that_makes_no_sense_is_one_line(
    line: str, words: str, config: Path
) -> None:
    config.write_text(f"[serve]\n{line}\n" + ("" if "slots" in line else "slots = 4\n"))
    code, output = run(config, *SHORT)
    assert (code, output.count("\n")) == (1, 1)
    assert words in output


def test_the_file_means_what_it_means_to_serve(config: Path) -> None:
    main, embed = served(config), served(config, "/embed")
    assert main.limits.policies == (GatewayTimeout(1, 0.5),)
    assert (main.slots, main.capacity, main.stop, main.discipline) == (4, 50, None, DEFAULT)
    assert embed.limits.policies == (GatewayTimeout(1, 0.5), QueueTimeout(0.1))
    assert (embed.slots, embed.capacity, embed.stop, embed.discipline) == (2, 50, "kill", "lifo")


def test_a_file_that_bounds_no_work_has_the_default_of_serve(config: Path) -> None:
    config.write_text("[timeouts]\nqueue = 5\n")
    assert served(config).limits.policies == (QueueTimeout(5), ExecutionTimeout(30))


def test_limits_of_streams_are_refused(config: Path) -> None:
    config.write_text("[timeouts]\nfirst_item = 5\n")
    with pytest.raises(ValueError, match="bounds a stream's time to first item"):
        served(config)


def test_every_discipline_has_a_name() -> None:
    from timeouts.serve.disciplines import DISCIPLINES

    public = {getattr(discipline, name) for name in discipline.__all__} - {discipline.Discipline}
    assert set(DISCIPLINES.values()) == public
    assert {"fifo", "lifo", "priority", "earliest-deadline-first"} <= set(DISCIPLINES)


def test_help_names_the_options() -> None:
    _, output = run("--help")
    for option in ("--load", "--service", "--deadline", "--trace", "--seed", "--jobs", "--plot"):
        assert option in output


@pytest.mark.parametrize("guest", ["typer", "rich.console", "matplotlib"])
def test_a_missing_extra_is_one_line(
    guest: str,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in list(sys.modules):
        if module in ("timeouts.sim.main", "timeouts.sim.plot", "timeouts.sim.tables"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, guest, None)
    arguments = [
        "timeouts",
        "simulate",
        str(config),
        *SHORT,
        "--plot",
        str(config.parent / "p.png"),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    name = guest.partition(".")[0]
    assert exit_.value.code == f'timeouts: {name} is not installed: pip install "timeouts[sim]"'
    assert not capsys.readouterr().out, "it is said before the work"
