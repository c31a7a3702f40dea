"""Limits for a server, found on a trace of what it was asked.

Law: nothing is recommended for what it did on the requests it was chosen by. A setting is chosen on one half
of the trace and judged on the other; where the interval of what it gains holds no gain, that is the finding.
"""

from timeouts.tune.finding import Finding, find
from timeouts.tune.rule import Rule
from timeouts.tune.setting import Setting
from timeouts.tune.task import Task

__all__ = ["Finding", "Rule", "Setting", "Task", "find"]
