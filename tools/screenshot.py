# ruff: noqa: INP001
"""Take the pictures of the live page in `docs/images/`: `python tools/screenshot.py`.

It serves a handler that is quick, slow or hung, asks it more than it can do for some seconds, and has
Chromium look at the page. Needs playwright for Python and a `chromium` on the path.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
from playwright.async_api import ViewportSize, async_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MODEL = "import time\n\n\ndef predict(seconds: float) -> float:\n    time.sleep(seconds)\n    return seconds\n"
CONFIG = """
[timeouts]
gateway = { timeout = 4, reserve = 0.2 }
queue = 1.5
execution = 2

[serve]
workers = "process"
slots = 8
capacity = 24
"""
SECONDS = 14.0
SIZE: ViewportSize = {"width": 1280, "height": 920}
SCHEMES: dict[Literal["light", "dark"], str] = {
    "light": "live-page.png",
    "dark": "live-page-dark.png",
}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


@contextmanager
def served() -> Iterator[str]:
    """Serve the model on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.py").write_text(MODEL)
        Path(folder, "timeouts.toml").write_text(CONFIG)
        command = [sys.executable, "-m", "timeouts.cli", "serve", "model:predict", "--port", "0"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own
            try:
                yield _address(server)
            finally:
                server.terminate()
                server.communicate(timeout=40)


def _address(server: subprocess.Popen[str]) -> str:
    for line in server.stderr or ():
        if found := re.search(r"serving (http://[^/]+)", line):
            return found[1]
    raise RuntimeError("the server has ended")


async def load(client: httpx.AsyncClient, seconds: float) -> None:
    """Ask for more than the server can do: waves of jobs, now and then one that hangs."""
    ends = time.monotonic() + seconds
    chance = random.Random(7)  # noqa: S311 - a load, not secrets
    async with asyncio.TaskGroup() as group:
        while time.monotonic() < ends:
            wave = 1.6 if time.monotonic() % 5 < 2 else 0.8
            await asyncio.sleep(chance.expovariate(16 * wave))
            hung = chance.random() < 0.05
            work = 30.0 if hung else chance.lognormvariate(-0.9, 0.7)
            patience = 0.6 if chance.random() < 0.05 else 20.0
            group.create_task(_ask(client, work, patience))


async def _ask(client: httpx.AsyncClient, work: float, patience: float) -> None:
    try:
        await client.post("/predict", json={"seconds": work}, timeout=patience)
    except httpx.TimeoutException:
        return


async def shoot(address: str) -> None:
    """Look at the page while it is under load, in light and in dark."""
    limits = httpx.Limits(max_connections=None)
    async with (
        async_playwright() as tools,
        httpx.AsyncClient(base_url=address, limits=limits) as client,
    ):
        browser = await tools.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        pages = []
        for scheme, name in SCHEMES.items():
            page = await browser.new_page(
                viewport=SIZE, color_scheme=scheme, device_scale_factor=1.5
            )
            await page.goto(address)
            pages.append((name, page))
        async with asyncio.TaskGroup() as group:
            group.create_task(load(client, SECONDS + 2))
            await asyncio.sleep(SECONDS)
            for name, page in pages:
                await page.screenshot(path=IMAGES / name)
        await browser.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with served() as served_at:
        asyncio.run(shoot(served_at))
