"""What the core tells the shell to do.

Law: they are obeyed in the order in which they are given, and all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeouts.estimate import Advice
from timeouts.job import Job
from timeouts.outcome import Outcome


@dataclass(slots=True)
class Start:
    """Run these jobs on one slot, as one batch; today always one job."""

    jobs: tuple[Job, ...]


@dataclass(slots=True)
class Reply:
    """Answer the caller of this job."""

    job: Job
    outcome: Outcome


@dataclass(slots=True)
class Cancel:
    """Stop the work of these jobs, as far as their workers can; then report `finish`."""

    jobs: tuple[Job, ...]


@dataclass(slots=True)
class Late:
    """The work of an already answered job ended like this: report it, deliver it to nobody."""

    job: Job
    outcome: Outcome


@dataclass(slots=True)
class Learned:
    """From now on jobs arrive under this advice."""

    advice: Advice


Command = Start | Reply | Cancel | Late | Learned
Commands = list[Command]
