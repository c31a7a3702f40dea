"""Run each subject: draw its pictures, and write its table into the page."""

from __future__ import annotations

import time

from docs.plots.page import PAGE, filled
from docs.plots.runs import FULL, Scale
from docs.plots.subjects import SUBJECTS


def main(scale: Scale = FULL) -> None:
    """Run each subject, and write what came of it."""
    text = PAGE.read_text(encoding="utf-8")
    for subject in SUBJECTS:
        began = time.perf_counter()
        found = subject.run(scale)
        text = filled(text, subject.name, subject.table(found))
        subject.save(found)
        print(f"{subject.name}: {time.perf_counter() - began:.0f} s")  # noqa: T201
    PAGE.write_text(text, encoding="utf-8")
