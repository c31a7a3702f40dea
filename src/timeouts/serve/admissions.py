"""Rules of admission by name, as files and command lines write them.

Law: this is the only table of names. It is made of what `timeouts.admission` exports, by the stems of the modules. Each name
stands for the rule as it comes; one with other arguments is for the code.
"""

from __future__ import annotations

from typing import Any

from timeouts import admission
from timeouts.admission import Admission

NOBODY = "none"
"""The default: nobody is turned away who finds a place in the queue."""

ADMISSIONS: dict[str, Admission | None] = {NOBODY: None} | {
    cls.__module__.rpartition(".")[2].replace("_", "-"): cls()
    for cls in (getattr(admission, name) for name in admission.__all__)
    if issubclass(cls, Admission) and cls is not Admission
}


def named(rule: Any) -> Any:
    """Return the name of a rule; one that is in no table stands for itself."""
    return next((name for name, known in ADMISSIONS.items() if known == rule), rule)


def rule(said: Any) -> Admission | None:
    """Return the rule.

    Raises:
        ValueError: there is no such name.
    """
    if not isinstance(said, str):
        return said  # type: ignore[no-any-return]  # from the code, where the server checks it
    if said not in ADMISSIONS:
        raise ValueError(f"admission must be one of {', '.join(ADMISSIONS)}; got {said!r}")
    return ADMISSIONS[said]
