"""Measure one row of one peer in this process; print the sample as a line of JSON, then end.

    python -m versus_peers.sample ROW PEER EFFORT

EFFORT is JSON. The line is printed before the workers are closed, because not every peer comes back
from that.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    # Some peers import this module again in every worker; what it does not import there, costs
    # them no time.
    from versus_peers.peers import PEERS
    from versus_peers.rows import ROWS, Effort

    row, name, effort = sys.argv[1:]
    peer = PEERS[name]()

    async def measure() -> None:
        sample = await ROWS[row](peer, Effort(**json.loads(effort)))
        print("\n" + json.dumps(sample.as_data()), flush=True)
        await peer.close()

    peer.run(measure)


if __name__ == "__main__":
    main()
