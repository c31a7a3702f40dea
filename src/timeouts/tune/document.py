"""A finding as text: comments and TOML, so that the whole of it is a file that `timeouts serve` reads.

Law: the same finding is the same text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from timeouts.deadline import spoken, written
from timeouts.tune.finding import Finding, Row
from timeouts.tune.setting import Setting

COLUMNS = ("load", "slots", "came/s", "as it is/s", "tuned/s", "limit/s", "of the limit")


def document(finding: Finding, name: str, workers: str | None) -> str:
    """Lay a finding out.

    Args:
        finding: what was found.
        name: what the trace is called.
        workers: the kind of workers that the options speak of; None where they do not.
    """
    comments = [f"# {line}".rstrip() for line in _comments(finding, name)]
    settings = list(_settings(finding, workers)) if finding.gains else []
    return "\n".join([*comments, *settings]) + "\n"


def _comments(finding: Finding, name: str) -> Iterator[str]:
    task, trace = finding.task, finding.task.trace
    cut = sum(request.stopped for request in trace.recorded)
    loads = ", ".join(f"{load:g}" for load in task.loads)
    yield f"timeouts tune: {name}, {len(trace.recorded):,} requests in {spoken(trace.duration)} s"
    if cut:
        yield f"{cut:,} of them were stopped or never ran: how long they would have taken is drawn, seed {task.seed}"
    yield f"deadline {written(task.deadline)} s, {task.stopping}, load {loads}: 1 is as it was recorded"
    yield ""
    yield f"as it is: {finding.before}"
    yield f"tuned:    {_words(finding)}"
    yield ""
    yield f"Answers in time, on {finding.requests:,} requests in {finding.blocks} stretches that nothing was chosen by:"
    yield ""
    yield from table(finding.rows)
    yield ""
    yield from _verdict(finding)
    yield ""
    if finding.slots:
        yield "With other numbers of slots, if the machine has the cores and the memory for them:"
        yield ""
        yield from table(finding.slots)
        yield ""


def _words(finding: Finding) -> str:
    """Write a setting in the words of the file; as a policy it would not show what is its default."""
    setting = finding.setting
    return (
        f"gateway {written(finding.task.deadline)} s, reserve {_value(setting.reserve)}, "
        f"execution {_execution(setting)}, {setting.discipline}, admission {setting.admission}"
    )


def _verdict(finding: Finding) -> Iterator[str]:
    gain, low, high = (f"{100 * share:.1f}" for share in (finding.gain, *finding.sure))
    sure = f"{gain} more of 100 requests are answered in time; 95 % interval: {low} to {high}"
    if finding.gains:
        yield f"Gain: {sure}."
        if finding.learned is not None:
            learned = 100 * finding.learned
            yield f'With reserve = "auto", which follows the work when it changes: {learned:.1f} more.'
    elif finding.sure.low > 0:
        yield f"Too little to be worth a change: {sure}. Leave the limits as they are."
    else:
        yield f"No gain is to be seen: {sure}. Leave the limits as they are."


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Lay rows out, each column as wide as it has to be."""
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _cells(row: Row) -> Sequence[str]:
    share = [f"{now / row.limit:.0%}" if row.limit else "-" for now in (row.before, row.after)]
    rates = (row.came, row.before, row.after, row.limit)
    return f"{row.load:g}", str(row.slots), *map(_rate, rates), " -> ".join(share)


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.3g}"


def _settings(finding: Finding, workers: str | None) -> Iterator[str]:
    setting = finding.setting
    yield "[timeouts]"
    yield f"gateway = {{ timeout = {finding.task.deadline!r}, reserve = {_value(setting.reserve)} }}"
    yield 'queue = "none"'
    yield f"execution = {_execution(setting)}"
    yield ""
    yield "[serve]"
    if workers is not None:
        yield f'workers = "{workers}"'
    yield f"slots = {setting.slots}"
    if finding.task.capacity < math.inf:
        yield f"capacity = {finding.task.capacity}"
    yield f'discipline = "{setting.discipline}"'
    yield f'admission = "{setting.admission}"'


def _execution(setting: Setting) -> str:
    return '"none"' if setting.execution == math.inf else _value(setting.execution)


def _value(value: float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
