"""Everything hostile once more in Python's development mode: nothing is left open, nothing complains.

The random rounds (`test_rounds_realtime`) run in that mode as well. Here it is one of each, for every start
method, and what the workers themselves say counts, too: their standard error comes out of the server's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.house import Script
from timeouts.workers.process.birth import START_METHODS

pytestmark = pytest.mark.realtime

COMPLAINTS = ("Warning", "Exception ignored", "was destroyed", "never retrieved", "care of worker")

PARADE = """
import contextlib, sys
from tests.processes.test_crashes_realtime import DEATHS
from tests.processes.test_hostile_realtime import STUBBORN
from tests.processes.test_payloads_realtime import REFUSED, items
from timeouts import DeadlineExceeded, PayloadError, ProcessWorkers, Server, WorkerLost
from timeouts.testing import hostile

def expect(error, server, handler, *args, **options):
    try:
        server.call(handler, *args, **options)
    except error:
        return
    raise AssertionError(handler)

def main(method):
    workers = ProcessWorkers(start_method=method, term_grace=0.02, spares=1)
    with Server(hostile.run, slots=2, workers=workers) as server:
        for handler, _ in STUBBORN.values():
            expect(DeadlineExceeded, server, handler, budget=0.2)
        for handler, args, _ in DEATHS.values():
            expect(WorkerLost, server, handler, *args)
        for (handler, args), _ in REFUSED.values():
            expect(PayloadError, server, handler, *args)
        for _ in range(3):
            assert len(server.call(hostile.sends, 8)) == 8 << 20
        hung = [server.submit(hostile.holds_gil) for _ in range(3)]
        server.close()
    assert all(future.done() for future in hung)
    with Server(items, slots=1, workers=ProcessWorkers(start_method=method)) as server:
        assert list(server.call(int)) == [1, 0, 3]
        with contextlib.closing(server.call(int)) as left:
            assert next(left) == 1
    print("well")

if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_nothing_complains(method: str, tmp_path: Path) -> None:
    with Script(
        PARADE,
        tmp_path / "parade.py",
        arguments=(method,),
        flags=("-X", "dev", "-W", "error"),
        env={"PYTHONDEVMODE": "1"},
    ) as script:
        code, out, err = script.end(seconds=55)
    assert (code, out) == (0, "well\n"), err[-5000:]
    complaints = [line for line in err.splitlines() if any(bad in line for bad in COMPLAINTS)]
    assert complaints == [], err[-5000:]
