"""Rules of admission by name, as files and command lines write them.

Law: this is the only table of names. It is made of what `timeouts.admission` exports, by the stems of the modules. Each name
stands for the rule as it comes; one with other arguments is for the code.
"""

from __future__ import annotations

from typing import Any

from timeouts import admission
from timeouts.admission import Admission
from timeouts.serve.names import find_in, name_in, stem

NOBODY = "none"
"""The default: nobody is turned away who finds a place in the queue."""

ADMISSIONS: dict[str, Admission | None] = {NOBODY: None} | {
    stem(cls): cls()
    for cls in (getattr(admission, name) for name in admission.__all__)
    if issubclass(cls, Admission) and cls is not Admission
}


def named(rule: Any) -> Any:
    """Return the name of a rule; one that is in no table stands for itself."""
    return name_in(ADMISSIONS, rule)


def rule(said: Any) -> Admission | None:
    """Return the rule.

    Raises:
        ValueError: there is no such name.
    """
    return find_in(ADMISSIONS, "admission", said)  # type: ignore[no-any-return]
