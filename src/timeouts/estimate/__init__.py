"""What is learned of a handler while it serves, and the advice that follows from it."""

from timeouts.estimate.advice import COLD, Advice
from timeouts.estimate.durations import Durations
from timeouts.estimate.learner import Learner

__all__ = ["COLD", "Advice", "Durations", "Learner"]
