"""Who is let in, beyond a place in the queue; one rule a file."""

from timeouts.admission.base import Admission, Door
from timeouts.admission.codel import CoDel
from timeouts.admission.predicted_wait import PredictedWait

__all__ = ["Admission", "CoDel", "Door", "PredictedWait"]
