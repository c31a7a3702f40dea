"""`timeouts.toml` is checked as it is read, and an error names the file, the key and the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeouts.serve.file import Settings, read

ALL = """
[timeouts]
gateway = { timeout = "30s", reserve = "2s" }
queue = 5
execution = "none"

[serve]
host = "0.0.0.0"
port = 8000
workers = "process"
slots = 4
capacity = 100
discipline = "lifo"
admission = "codel"
drain_timeout = "1m"
body_timeout = 5
write_timeout = 2.5
max_body = 1000
budgets = ["grpc-timeout"]
statuses = { queue_timeout = 504 }

[serve.classes]
tenant = "x-tenant"
priority = "x-priority"
levels = { interactive = 0, batch = 1.5 }
default = "batch"

[routes."/embed"]
handler = "model:embed"
workers = "thread"
slots = 2
capacity = 0
timeouts = { execution = 2 }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "timeouts.toml"
    path.write_text(text)
    return path


def test_all_there_is_to_say(tmp_path: Path) -> None:
    settings = read(written(tmp_path, ALL))
    assert settings.timeouts["gateway"] == {"timeout": "30s", "reserve": "2s"}
    assert settings.serve.workers == "process"
    assert settings.serve.drain_timeout == "1m"
    assert settings.serve.statuses == {"queue_timeout": 504}
    assert settings.routes["/embed"].capacity == 0
    classes = settings.serve.classes
    assert classes is not None
    assert classes.levels == {"interactive": 0, "batch": 1.5}
    assert {name for name, value in classes if value} == set(type(classes).model_fields)
    said = {name for name, value in settings.serve if value is not None}
    assert said == set(type(settings.serve).model_fields), "and the example above says all of it"


def test_nothing_is_fine(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[timeouts", "timeouts.toml: "),
        ("[serve]\nport = 1\nport = 2", "timeouts.toml: "),
        (
            "[server]\nport = 1",
            "server: there is no such key; known are timeouts, serve, routes$",
        ),
        (
            "[serve]\nslot = 4",
            "serve.slot: there is no such key; known are workers, slots, .*, port, ",
        ),
        ("[serve]\nport = '8000'", r"serve\.port: .*integer; got '8000'"),
        ("[serve]\nport = true", r"serve\.port: .*got True"),
        ("[serve]\nslots = 1.5", r"serve\.slots: .*got 1\.5"),
        (
            "[serve]\nworkers = 'gpu'",
            r"serve\.workers: .*'task', 'thread', 'process' or 'ray'; got 'gpu'",
        ),
        ("[serve]\nbudgets = 'grpc-timeout'", r"serve\.budgets: .*list"),
        (
            "[serve.classes]\ntenants = 'x-tenant'",
            r"serve\.classes\.tenants: .* are tenant, priority, ",
        ),
        ("[serve.classes.levels]\nbatch = '1'", r"serve\.classes\.levels\.batch: .*got '1'"),
        ("[serve.classes.levels]\nbatch = true", r"serve\.classes\.levels\.batch: "),
        ("[serve.statuses]\nqueue_timeout = '504'", r"serve\.statuses\.queue_timeout: "),
        ("[routes.'/a']\nhandler = 1", r"routes\./a\.handler: "),
        ("[routes.'/a']\nqueue = 1", r"routes\./a\.queue: .* are workers, .*, handler, timeouts$"),
        ("timeouts = 5", "timeouts: "),
    ],
)
def test_what_means_nothing_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read(written(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "timeouts.toml"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="cannot be read: "):
        read(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    with pytest.raises(ValueError, match=r"latin\.toml is no text in UTF-8"):
        read(tmp_path / "latin.toml")
