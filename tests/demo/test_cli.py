"""The command line before anything runs: arguments, help, and extras that are not installed."""

import re
import sys
from pathlib import Path

import pytest

from timeouts import cli

testing = pytest.importorskip("typer.testing")

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(*arguments: str) -> tuple[int, str]:
    result = testing.CliRunner().invoke(cli.app(), list(arguments), env={"COLUMNS": "200"})
    plain = COLOURS.sub("", result.output)  # GITHUB_ACTIONS and the like make typer paint
    return result.exit_code, " ".join(plain.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seconds", "0"], "'--seconds': must be between 1 and 600; got 0"),
        (["--seconds", "nan"], "'--seconds': must be between 1 and 600; got nan"),
        (["--seconds", "soon"], "Invalid value for '--seconds'"),
        (["--rate", "-1"], "'--rate': must be between 0.1 and 200; got -1"),
        (["--rate", "inf"], "'--rate': must be between 0.1 and 200; got inf"),
        (["--slots", "0"], "'--slots': must be between 1 and 32; got 0"),
        (["--slots", "two"], "Invalid value for '--slots'"),
        (["--seed", "x"], "Invalid value for '--seed'"),
        (["--workers", "ray"], "'ray' is not"),
        (["--plot", "run.xyz"], "run.xyz must end in one of .png"),
        (["--plot", "no/such/folder/run.png"], "no/such/folder is no folder"),
        (["--colour"], "--colour"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(arguments: list[str], words: str) -> None:
    code, output = run("demo", *arguments)
    assert code == 2
    assert words in output


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "run.png"
    folder.mkdir()
    code, output = run("demo", "--plot", str(folder))
    assert code == 2
    assert "is a folder" in output


def test_help_names_the_command_and_its_options() -> None:
    assert "demo" in run("--help")[1]
    output = run("demo", "--help")[1]
    for option in ("--seconds", "--rate", "--seed", "--slots", "--workers", "--plot"):
        assert option in output


def test_an_unknown_command_is_an_error() -> None:
    assert run("dance")[0] == 2


@pytest.mark.parametrize("guest", ["typer", "rich.console", "sklearn.datasets", "matplotlib"])
def test_a_missing_extra_is_one_line(
    guest: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in list(sys.modules):
        if module.startswith("timeouts.demo"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, guest, None)
    monkeypatch.setattr(sys, "argv", ["timeouts", "demo", "--plot", str(tmp_path / "run.png")])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    name = guest.partition(".")[0]
    assert exit_.value.code == (f'timeouts: {name} is not installed: pip install "timeouts[demo]"')


def test_a_module_of_our_own_that_is_missing_is_our_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "demo", cli.Command("timeouts.no_such_module", "demo"))
    monkeypatch.setattr(sys, "argv", ["timeouts", "demo"])
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        cli.main()
