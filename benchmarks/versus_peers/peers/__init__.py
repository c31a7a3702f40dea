"""One class per peer, all of them with the methods of `Peer`; in the order of the tables."""

from __future__ import annotations

from versus_peers.peers.anyio_process import AnyioProcess
from versus_peers.peers.base import Peer
from versus_peers.peers.billiard_pool import BilliardPool
from versus_peers.peers.executor import Executor, RebuiltExecutor
from versus_peers.peers.floors import ArenaFloor, KillFloor, PingPongFloor, PrototypeFloor
from versus_peers.peers.loky_executor import LokyExecutor
from versus_peers.peers.mp_pool import MpPool
from versus_peers.peers.mpire_pool import MpirePool
from versus_peers.peers.ours import Ours, OursAwaited, OursSpare
from versus_peers.peers.pebble_pool import PebbleForkserver, PebblePool
from versus_peers.peers.ray_tasks import RayTasks
from versus_peers.peers.trio_process import TrioProcess
from versus_peers.peers.wrapt_process import WraptProcess

PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        PingPongFloor,
        PrototypeFloor,
        ArenaFloor,
        KillFloor,
        Ours,
        OursSpare,
        OursAwaited,
        PebblePool,
        PebbleForkserver,
        Executor,
        RebuiltExecutor,
        MpPool,
        BilliardPool,
        LokyExecutor,
        MpirePool,
        AnyioProcess,
        TrioProcess,
        WraptProcess,
        RayTasks,
    )
}

__all__ = ["PEERS", "Peer"]
