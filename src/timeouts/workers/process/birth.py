"""What the first process of a pool finds on its way in: where to look for code, and the charter.

The main module is run again there, as `multiprocessing` does it and by its code, under the name
`__mp_main__`: so a script that starts workers needs `if __name__ == "__main__":` around what starts
them, and gets a clear error without it.
"""

from __future__ import annotations

import json
import multiprocessing.process
import os
import pickle
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import spawn
from pathlib import Path
from typing import Any, Literal, NamedTuple

StartMethod = Literal["fork", "forkserver", "spawn"]
START_METHODS: tuple[StartMethod, ...] = ("fork", "forkserver", "spawn")


class Birth(NamedTuple):
    """Everything a new process must know."""

    method: StartMethod
    charter: bytes
    max_jobs: int | None
    max_memory: int | None
    preloads: bool
    code: dict[str, Any]

    def write(self) -> bytes:
        """Write it down."""
        return pickle.dumps(tuple(self), 5)

    def command(self, module: str, function: str, *arguments: object) -> list[str]:
        """Return the command line of a new interpreter that calls a function of ours.

        It looks for code where the server does. The arguments are in `sys.argv` from 2 on.
        """
        program = (
            "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
            f"from {module} import {function}; {function}()"
        )
        path = json.dumps(self.code["sys_path"])
        return [sys.executable, *self.code["flags"], "-c", program, path, *map(str, arguments)]

    @contextmanager
    def settling_in(self) -> Generator[None]:
        """Make this process look for code where the server does, and run its main module.

        In the block it may import the server's other modules. Until it ends, no process of this one may be started.
        """
        me: Any = multiprocessing.process.current_process()
        me._inheriting = True  # noqa: SLF001 - what multiprocessing's own children have at this stage
        try:
            spawn.prepare(self.code)
            yield
        finally:
            del me._inheriting  # noqa: SLF001 - as above


def read(written: bytes) -> Birth:
    """Read what was written."""
    return Birth(*pickle.loads(written))  # noqa: S301 - our own server wrote it


def code() -> dict[str, Any]:
    """Return where this process looks for code.

    Raises:
        RuntimeError: this process is itself only just importing what it is to run.
    """
    me = multiprocessing.process.current_process()
    if getattr(me, "_inheriting", False):
        raise RuntimeError(
            "worker processes cannot be started by what one of them imports: put it into a function, "
            'or, in the main module, under `if __name__ == "__main__":`'
        )
    here = str(Path.cwd())
    known: dict[str, Any] = {
        "authkey": bytes(me.authkey),
        "flags": subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing does
        "sys_path": [entry or here for entry in sys.path],
        "sys_argv": sys.argv,
        "orig_dir": here,
        "dir": here,
    }
    main: Any = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    path = getattr(main, "__file__", None)
    if name is not None:
        known["init_main_from_name"] = name
    elif path is not None and os.path.exists(path):  # noqa: PTH110 - a plain question
        known["init_main_from_path"] = os.path.abspath(path)  # noqa: PTH100 - links stay links
    return known
