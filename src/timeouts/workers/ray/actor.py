"""A worker, as Ray sees it: an actor, whose methods answer in turn on its process's main thread.

Small questions and answers are plain bytes, which Ray carries fastest. What is done is in `desk`: Ray
wraps every method of an actor's class, and those wrappers would be in every traceback.
"""

from __future__ import annotations

import os
import pickle
from typing import Any

from timeouts.workers.ray.desk import Answer, Desk
from timeouts.workers.ray.guest import ray
from timeouts.workers.ray.letters import Letter
from timeouts.workers.ray.warden import whereabouts


class Actor:
    """Serves the calls of one slot."""

    def __init__(self) -> None:
        self._desk: Any = None

    def greet(self) -> tuple[int, str, str]:
        """Say which process this is, on which node, and where its pid means something."""
        return os.getpid(), ray.get_runtime_context().get_node_id(), whereabouts()

    def set_up(self, number: int, charter: Letter) -> str | None:
        """Get ready to serve; return what went wrong."""
        self._desk = Desk()
        return self._desk.set_up(number, charter)  # type: ignore[no-any-return]

    def serve(self, question: bytes, request: Letter = b"") -> Any:
        """Run the handler, to its end or to a stream's first item."""
        *about, inside = pickle.loads(question)  # noqa: S301 - our own server wrote it
        return written(self._desk.serve(*about, request or inside))

    def proceed(self, key: int) -> Any:
        """Produce the next item of a stream."""
        return written(self._desk.proceed(key))

    def leave(self, key: int) -> Any:
        """Close a stream: nobody wants more of it."""
        return written(self._desk.leave(key))


def written(answer: Answer) -> Any:
    """Write an answer for Ray."""
    kind, letter = answer
    return kind + letter if isinstance(letter, bytes) else answer


def read(answer: Any) -> Answer:
    """Read what was written."""
    return (answer[:1], answer[1:]) if isinstance(answer, bytes) else answer
