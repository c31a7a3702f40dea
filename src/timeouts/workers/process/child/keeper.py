"""The keeper: the outermost process of a pool, which runs no code of the user's and outlives nobody.

Law: when the server lets go of its leash or dies, however it dies, every process that descends from
the keeper dies, and then the keeper itself. It is the adoptive parent of all orphans below it, so
"kill your children until you have none" reaches them all, in whatever group or session they hid.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from time import monotonic, sleep

from timeouts.workers.process import native
from timeouts.workers.process.child import template

PATIENCE = 1.0  # seconds that the template has to end by itself, where it must


def main() -> None:
    """Become the keeper; the arguments are descriptors, and the pid of the server."""
    leash, control, birth, server = map(int, sys.argv[2:6])
    for deaf in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(deaf, signal.SIG_IGN)
    native.adopt_orphans()
    child = os.fork()
    if child == 0:
        os.close(leash)
        template.main(control, birth)
    os.close(control)
    os.close(birth)
    _wait_for_the_end(leash, server)
    _kill_all(child)


def _wait_for_the_end(leash: int, server: int) -> None:
    ends = [leash]
    watched = native.watch_process(server)  # the leash alone may have been inherited by others
    if watched is not None:
        ends.append(watched)
    if os.getppid() == server:
        select.select(ends, [], [])


def _kill_all(child: int) -> None:
    if child not in native.children():
        _kill_unseen(child)
    while True:
        for pid in native.children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _kill_unseen(template: int) -> None:
    """Where no children can be seen: the template kills its workers, and ends; it may hang in preload."""
    until = monotonic() + PATIENCE
    while os.waitpid(template, os.WNOHANG) == (0, 0):
        if monotonic() > until:
            os.kill(template, signal.SIGKILL)
        sleep(0.01)
