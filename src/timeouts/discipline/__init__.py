"""The orders in which waiting jobs leave the queue, one file each."""

from timeouts.discipline.adaptive_lifo import AdaptiveLIFO
from timeouts.discipline.base import Discipline
from timeouts.discipline.earliest_deadline_first import EarliestDeadlineFirst
from timeouts.discipline.fair_share import FairShare
from timeouts.discipline.fifo import FIFO
from timeouts.discipline.lifo import LIFO
from timeouts.discipline.priority import Priority

__all__ = [
    "FIFO",
    "LIFO",
    "AdaptiveLIFO",
    "Discipline",
    "EarliestDeadlineFirst",
    "FairShare",
    "Priority",
]
