"""More requests than one worker can do, from clients that have no use for an answer after 0.2 s.

Ours has a gateway limit of what the clients wait for, of which the last 30 ms are kept for the run: what
has waited for 170 ms is dropped rather than started in vain. LitServe's one number, which bounds the
wait, is taken both ways: as what the clients wait for, and with the same 30 ms taken off by hand.
"""

from __future__ import annotations

from statistics import quantiles

from versus_litserve.effort import Effort, Sample, Samples
from versus_litserve.load import Sent, offer
from versus_litserve.serving import serving
from versus_litserve.subjects import LITSERVE, Setup, Subject

RUN = 0.02
WITHIN, RESERVE = 0.2, 0.03
OURS = ("--gateway-timeout", str(WITHIN), "--reserve", str(RESERVE))


async def overload(subject: Subject, effort: Effort) -> Samples:
    """Twice and five times what one worker can do."""
    samples: Samples = {}
    for times in (2, 5):
        sent = await _offered(subject, Setup(lit=WITHIN, ours=OURS), times, effort)
        late = quantiles([one.late * 1000 for one in sent], n=100, method="inclusive")[98]
        samples[f"good{times}"] = _goodput(sent, effort)
        samples[f"generator{times}"] = Sample([late])
        if subject is LITSERVE:
            sent = await _offered(subject, Setup(lit=WITHIN - RESERVE), times, effort)
            samples[f"less{times}"] = _goodput(sent, effort)
    return samples


async def _offered(subject: Subject, setup: Setup, times: int, effort: Effort) -> list[Sent]:
    async with serving(subject, setup) as server:
        await server.client.post(effort.never, seconds=RUN)
        return await offer(server.client, times / RUN, effort.overload, {"seconds": RUN})


def _goodput(sent: list[Sent], effort: Effort) -> Sample:
    good = sum(one.good(WITHIN) for one in sent)
    return Sample([good / effort.overload], f"{good} of {len(sent):,}")
