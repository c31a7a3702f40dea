"""The live page of a real `timeouts serve`, seen by a real Chromium."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.serve.served import PATIENCE, Running, eventually, serving

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PROCESSES = ("--workers", "process", "--slots", "2", "--capacity", "3")
LIMITS = ("--gateway-timeout", "30", "--queue-timeout", "1.5", "--execution-timeout", "1")
CANVAS = "document.querySelector('canvas')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; without one, skip, but never where `CI` is set."""
    found = shutil.which("chromium")
    if found is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    assert found is not None, "in CI Chromium must be there: apt-get install chromium"
    with sync_playwright() as tools:
        running = tools.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


class Seen:
    """A page, and all that it asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, server: Running) -> None:
        self.page.goto(f"{server.url}/")
        self.until("document.querySelector('.route') !== null")

    def until(self, holds: str) -> None:
        """Wait until an expression is true on the page; its own way to wait is against its policy."""
        eventually(lambda: bool(self.page.evaluate(holds)), lambda: holds)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def counts(self) -> dict[str, int]:
        """Read the table of outcomes."""
        rows: dict[str, str] = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('tbody tr')]"
            ".map(row => [row.dataset.outcome, row.cells[1].textContent]))"
        )
        return {name: int(count.replace(",", "")) for name, count in rows.items()}

    def kinds(self) -> set[str]:
        """Return the kinds of the bars that were drawn last."""
        return set(str(self.page.evaluate(f"{CANVAS}.dataset.kinds ?? ''")).split())


@pytest.fixture
def seen(browser: Browser) -> Iterator[Seen]:
    """Open a tab, and close it."""
    with browser.new_context(viewport={"width": 1280, "height": 920}) as context:
        yield Seen(context.new_page())


def ask(server: Running, *bodies: dict[str, Any]) -> list[int]:
    """Send requests at once; return the statuses of their answers."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return [answer.status_code for answer in pool.map(lambda b: server.post(**b), bodies)]


def test_the_page_shows_what_happens(seen: Seen, tmp_path: Path) -> None:
    """Some are served, two hang and are killed, one waits too long, and one finds the queue full."""
    with serving(tmp_path, "model:predict", *PROCESSES, *LIMITS) as server:
        seen.open(server)
        seen.page.select_option("#span", "120")  # so that nothing leaves the page on a slow machine
        ask(server, *[{"x": 0.01}] * 2)
        statuses = ask(server, *[{"x": 60.0}] * 6)
        assert set(statuses) <= {429, 503, 504}
        books = server.stats()["outcomes"]
        assert books["completed"] == 2
        assert books["execution_timeout"] >= 2
        assert books["queue_full"] >= 1
        eventually(lambda: seen.counts() == books, lambda: (seen.counts(), books))
        assert seen.text("[data-text=arrived]") == str(sum(books.values()))
        seen.until("document.querySelector('[data-text=killed]').textContent !== ''")
        eventually(lambda: {"completed", "expired", "refused"} <= seen.kinds(), seen.kinds)
        assert int(seen.page.evaluate(f"{CANVAS}.dataset.bars")) >= sum(books.values()) - 2
        assert not blank(seen)
        expired = sum(count for name, count in books.items() if name.endswith("timeout"))
        assert seen.text("[data-text=lateness]").startswith(f"{expired} expired.")
        assert [seen.text("h2"), seen.text(".name code")] == ["/predict", "model:predict"]
        assert seen.page.locator(".limits code").all_inner_texts() == [
            "GatewayTimeout(30)",
            "QueueTimeout(1.5)",
            "ExecutionTimeout(1)",
        ]
        assert seen.text("#state") == "live"
        assert "expired" in str(seen.page.locator("canvas").get_attribute("aria-label"))
        assert seen.complaints == []
        assert {urlsplit(url).netloc for url in seen.requests} == {f"127.0.0.1:{server.port}"}


def blank(seen: Seen) -> bool:
    """Tell whether nothing but the axis was painted: no pixel has the colour of a completed job."""
    return bool(
        seen.page.evaluate(
            """() => {
                const canvas = document.querySelector('canvas');
                const wanted = getComputedStyle(document.documentElement).getPropertyValue('--completed');
                const [r, g, b] = wanted.match(/[0-9a-f]{2}/gi).map(part => parseInt(part, 16));
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                for (let at = 0; at < data.length; at += 4)
                    if (data[at] === r && data[at + 1] === g && data[at + 2] === b) return false;
                return true;
            }"""
        )
    )


def test_without_a_page_there_is_none(tmp_path: Path) -> None:
    with serving(tmp_path, "model:predict", "--workers", "thread", "--no-page") as server:
        assert [server.get(path).status_code for path in ("/", "/events", "/page/page.js")] == [
            404
        ] * 3
        assert server.get("/stats").status_code == 200


def test_limits_that_are_reloaded_are_shown(seen: Seen, tmp_path: Path) -> None:
    config = tmp_path / "timeouts.toml"
    config.write_text("[timeouts]\nexecution = 2\n")
    with serving(tmp_path, "model:predict", "--workers", "thread") as server:
        seen.open(server)
        seen.until("document.querySelector('.limits').innerText.includes('ExecutionTimeout(2)')")
        config.write_text("[timeouts]\nexecution = 7\n")
        server.signal(signal.SIGHUP)
        seen.until("document.querySelector('.limits').innerText.includes('ExecutionTimeout(7)')")


def test_the_page_does_not_hold_up_a_shutdown_and_outlives_it(seen: Seen, tmp_path: Path) -> None:
    """It says that the connection is lost, and begins anew with the next server."""
    (first, second) = (tmp_path / "first", tmp_path / "second")
    first.mkdir()
    second.mkdir()
    with serving(first, "model:predict", "--workers", "thread") as server:
        seen.open(server)
        ask(server, *[{"x": 0.01}] * 3)
        eventually(lambda: seen.counts() == {"completed": 3}, seen.counts)
        port = server.port
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        assert "Cancel" not in server.log
        assert "ERROR" not in server.log
        seen.until("document.querySelector('#state').textContent === 'connection lost, retrying'")
    with serving(second, "model:predict", "--workers", "thread", "--port", str(port)) as server:
        seen.until("document.querySelector('#state').textContent === 'live'")
        ask(server, {"x": 0.01})
        eventually(lambda: seen.counts() == {"completed": 1}, seen.counts)


def test_a_drain_can_be_watched(seen: Seen, tmp_path: Path) -> None:
    with serving(tmp_path, "model:predict", "--workers", "thread") as server:
        seen.open(server)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(server.post, x=3.0)
            seen.until("document.querySelector('[data-text=running]').textContent === '1'")
            server.signal(signal.SIGTERM)
            seen.until("document.querySelector('#state').dataset.state === 'draining'")
            assert answer.result(PATIENCE).status_code == 200
        assert server.ended() == 0


def test_who_pauses_is_told_nothing_until_he_goes_on(seen: Seen, tmp_path: Path) -> None:
    with serving(tmp_path, "model:predict", "--workers", "thread") as server:
        seen.open(server)
        ask(server, {"x": 0.01})
        eventually(lambda: seen.counts() == {"completed": 1}, seen.counts)
        seen.page.click("#pause")
        assert seen.text("#state") == "paused"
        ask(server, {"x": 0.01})
        seen.page.wait_for_timeout(500)  # three frames would have come
        assert seen.counts() == {"completed": 1}
        seen.page.click("#pause")
        eventually(lambda: seen.counts() == {"completed": 2}, seen.counts)
        assert seen.text("#state") == "live"


def test_a_thousand_jobs_a_second_leave_the_page_responsive(seen: Seen, tmp_path: Path) -> None:
    """Bars are a sample, and say so; counts are exact; the page goes on drawing and answering."""
    with serving(tmp_path, "model:block", "--slots", "200") as server:
        seen.open(server)
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(asyncio.run, burst(server.port, rate=1000, seconds=3.0))
            drawn = [int(seen.page.evaluate(_FRAMES)) for _ in range(3)]
            sent = sending.result(PATIENCE)
        assert min(drawn) >= 2, drawn
        eventually(lambda: seen.counts() == {"completed": sent}, lambda: (seen.counts(), sent))
        assert 20 <= int(seen.page.evaluate(f"{CANVAS}.dataset.bars")) <= 4000
        assert seen.complaints == []


# How many frames are drawn in half a second.
_FRAMES = """new Promise(done => {
    let frames = 0;
    const begun = performance.now();
    const step = () => {
        frames += 1;
        if (performance.now() - begun > 500) done(frames); else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""


async def burst(port: int, rate: int, seconds: float, connections: int = 10) -> int:
    """Send requests at a rate, over few connections that each wait for their answers; return how many."""
    body = b'{"x": 0.002, "polite": true}'
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    begun, sent = asyncio.get_running_loop().time(), 0

    async def sender() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (now := asyncio.get_running_loop().time() - begun) < seconds:
            if sent > now * rate:
                await asyncio.sleep(0.002)
                continue
            sent += 1
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in answer, answer
            await reader.readexactly(6)  # "done"
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(sender() for _ in range(connections)))
    return sent
