"""Mirrors over a month on a simulated clock: how soon a dead one is replaced, and whether readers
ever find none; and once in real time, over real connections."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import web
from fakes import NOW, ORIGIN, Clock, MemoryStore, audited, draft, quiet_desk
from fetch_proxies import Seen, http_proxy
from fetch_servers import LOOPBACK, site

from mirror.cycle import run_cycle
from mirror.daemon import Orders, Time, run
from mirror.database import Database
from mirror.desk import Desk, relist, to_do
from mirror.formats.index import Index, Ref
from mirror.formats.paths import INDEX_PROOF
from mirror.mirrors import Mirror, Mirrors, Outcome, Probe, Role
from mirror.mirrors.own import Own
from mirror.mirrors.states import CLEARS, judge
from mirror.mirrors.vantage import Vantage
from mirror.mirrors.watch import Watch, keep_known, look
from mirror.rotate import Outlets, rotate, rotate_always
from mirror.signer import Signer
from mirror.stores.dir import DirStore
from mirror.ticks import ticks
from mirror.verify import Trust, check_bytes
from mirror.verify.listing import newest

HOUR, DAY = 3600, 24 * 3600
EVERY_S, LOOK_S, TICK_S = 300, 60, 5  # as the settings have it, and the daemon, or slower
MEDIAN_S = 0.9 * DAY
SIGMA = 2.66
"""Of a lognormal life: a list of 480 that went through 39,183 in seven years had each 31 days on
the average, of which half had less than 0.9."""

RU = (
    Vantage("first", "RU", "socks5h://203.0.113.1:1080"),
    Vantage("second", "RU", ssh="a@b.example"),
)
PLACES = (*RU, Vantage("here", control=True))  # controls look last
WELL: tuple[Outcome, ...] = ("ok", "ok", "ok")


@dataclass
class Truth:
    """What is the case with a mirror, whatever anybody has seen of it."""

    blocked: float = math.inf
    """From when on, in Russia."""
    outages: list[tuple[float, float]] = field(default_factory=list)

    def is_down(self, now: float) -> bool:
        return any(start <= now < end for start, end in self.outages)

    def outcome(self, place: Vantage, now: float) -> Outcome:
        if self.is_down(now):
            return "tcp_ip"
        return "tls-sni-reset" if place.country and now >= self.blocked else "ok"

    def next(self, now: float) -> float:
        """Return until when nothing of it changes."""
        times = [self.blocked, *(at for outage in self.outages for at in outage)]
        return min((at for at in times if at > now), default=math.inf)

    def reads(self, now: float) -> bool:
        """Return whether a reader in Russia has the site from it."""
        return not self.is_down(now) and now < self.blocked


class World:
    """A daemon, its mirrors, and a censor who blocks what was announced; time is simulated."""

    def __init__(self, signer: Signer, *, seed: int, public: int = 4, spares: int = 40) -> None:
        self.signer, self.store, self.clock = signer, MemoryStore(), Clock()
        self.desk = quiet_desk(signer, self.store)
        self.dice = random.Random(seed)
        self.truth: dict[str, Truth] = {}
        self.rows: dict[str, Mirror] = {}
        self.deaf: tuple[float, float] = (0, 0)
        """When this machine, and all that look from it, have no line."""
        self.due: dict[str, int] = {}
        self.quiet: dict[str, float] = {}
        """Until when all looks at a mirror see what the last one saw."""
        self.seen: dict[str, tuple[tuple[Outcome, ...], int]] = {}
        """The last look, and how many in a row were like it."""
        self.called: dict[str, int] = {}
        """When a mirror was first called blocked."""
        self.instead: dict[str, str] = {}
        """In place of which a spare was announced."""
        self.live_s: dict[str, int] = {}
        """How long after it was called blocked another was in the signed index."""
        self.listed: tuple[str, ...] = ()
        self.gaps: list[int] = []
        """When no listed mirror could be read."""
        for n in range(public):
            self._add(f"https://p{n}.example/", "public")
        for n in range(spares):
            self._add(f"https://s{n}.example/", "spare")

    def _add(self, url: str, role: Role) -> None:
        self.truth[url] = Truth()
        self.due[url] = NOW + self.dice.randrange(EVERY_S)
        self._keep(Mirror(url, role, "healthy", NOW - DAY))

    def _keep(self, row: Mirror) -> None:
        with self.signer.state.transaction():
            Mirrors(self.signer.state.db).put(row)
        self.rows[row.url] = row

    async def run(self, seconds: int) -> None:
        """Let time pass, as the daemon's two tasks would spend it."""
        self.signer.append([draft(self.signer, 1)], now=NOW)
        await run_cycle(self.desk, now=self.clock)
        for at in range(NOW, NOW + seconds, LOOK_S):
            self.clock.now = at
            if not (self._look() or at == NOW or at % (3 * HOUR) < LOOK_S):
                continue
            await self._turn()
            if to_do(self.desk, now=at + TICK_S) is not None:
                self.clock.now = at + TICK_S
                await self._cycle()

    def _look(self) -> bool:
        """Look at what is due; return whether anything changed."""
        changed, now = False, self.clock.now
        if self.listed and not any(self.truth[url].reads(now) for url in self.listed):
            self.gaps.append(now)
        for url, due in self.due.items():
            if due > now:
                continue
            if now < self.quiet.get(url, 0):
                self.due[url] = now + EVERY_S
                continue
            row, found = self.rows[url], self._judged(url)
            self.due[url] = found.due if found else now + EVERY_S
            if found and (found.state, found.blocked_in) != (row.state, row.blocked_in):
                self._keep(found)
                changed = True
                if found.state == "blocked":
                    self.called.setdefault(url, now)
        return changed

    def _judged(self, url: str) -> Mirror | None:
        """Return what is thought of a mirror after a look, or None: nothing can come of it."""
        now, truth = self.clock.now, self.truth[url]
        lost = self.deaf[0] <= now < self.deaf[1]
        looks = [(each, now + late) for each, late in zip(PLACES, (0, 4, 12), strict=True)]
        outcomes = tuple("tcp_ip" if lost else truth.outcome(each, at) for each, at in looks)
        last, runs = self.seen.get(url, (WELL, CLEARS))
        runs = runs + 1 if outcomes == last else 1
        self.seen[url] = outcomes, runs
        row = self.rows[url]
        if runs > CLEARS and row.state != "suspect":
            at = min(truth.next(now), *(at for at in self.deaf if at > now), math.inf)
            self.quiet[url] = at - HOUR / 60
            return None
        probes = [
            Probe(url, each.name, at, outcome)
            for (each, at), outcome in zip(looks, outcomes, strict=True)
        ]
        mirrors = Mirrors(self.signer.state.db)
        with self.signer.state.transaction():
            mirrors.add(probes, now=now)
        history = mirrors.history(url, since=now - HOUR)
        return judge(row, history, vantages=PLACES, now=now + 15, every_s=EVERY_S)

    async def _turn(self) -> None:
        for change in await rotate(
            self.signer.state.db, Outlets(), now=self.clock, changes_per_day=8
        ):
            if change.mirror:
                self.rows[change.url] = change.mirror
            self.quiet.pop(change.url, None)
            if change.did in ("added", "announced"):  # a censor reads the list, too
                life = self.dice.lognormvariate(math.log(MEDIAN_S), SIGMA)
                self.truth[change.url].blocked = self.clock.now + life
            if change.did == "announced":
                self.instead[change.url] = change.reason.removeprefix("in place of ")

    async def _cycle(self) -> None:
        await relist(self.desk, now=self.clock)
        await run_cycle(self.desk, now=self.clock)
        index = Index.parse(self.store.kept[self.signer.state.log().index_ref])
        for each in index.mirrors:
            lost = self.instead.get(each.url, "")
            if lost in self.called:
                self.live_s.setdefault(lost, self.clock.now - self.called[lost])
        self.listed = tuple(each.url for each in index.mirrors if "RU" not in each.blocked_in)


async def test_a_blocked_mirror_is_seen_in_fifteen_minutes_and_replaced_five_later(signer: Signer):
    world = World(signer, seed=1, public=12)
    await world.run(2 * DAY)
    seen_s = {url: at - world.truth[url].blocked for url, at in world.called.items()}

    assert len(seen_s) >= 8
    assert max(seen_s.values()) <= 15 * 60
    assert set(world.live_s) == set(world.called)
    assert max(world.live_s.values()) <= 5 * 60
    assert await audited(world.store.kept, signer.root, now=world.clock.now) == []


async def test_in_a_month_readers_always_find_a_mirror_that_works(signer: Signer):
    world = World(signer, seed=2)
    for truth in world.truth.values():
        starts = [NOW + world.dice.uniform(0, 30 * DAY) for _ in range(3)]
        lasts = [world.dice.choice([900, HOUR, 3 * HOUR, 12 * HOUR]) for _ in starts]
        truth.outages = [(at, at + for_s) for at, for_s in zip(starts, lasts, strict=True)]
    world.deaf = NOW + 12 * DAY, NOW + 12 * DAY + 9 * HOUR
    await world.run(30 * DAY)
    changes = Mirrors(signer.state.db).changes()
    while_deaf = [did for at, did, *_ in changes if world.deaf[0] + HOUR < at < world.deaf[1]]

    assert world.gaps == []
    assert [url for url, at in world.called.items() if at < world.truth[url].blocked] == []
    assert len(world.called) >= 10
    assert set(while_deaf) <= {"held back"}
    for at, did, *_ in changes:
        day = [d for t, d, *_ in changes if at - DAY < t <= at]
        assert sum(d in ("announced", "removed", "distrusted") for d in day) <= 8, (at, did)
    assert await audited(world.store.kept, signer.root, now=world.clock.now) == []


# In real time.


async def test_in_real_time_a_spare_stands_in_for_what_a_censor_blocks(
    signer: Signer, tmp_path: Path
):
    begun = time.monotonic()
    folder, clock = tmp_path / "site", lambda: NOW + int(time.monotonic() - begun)
    down: set[str] = set()

    async def mirror(request: web.Request) -> web.Response:
        file = folder / request.path.removeprefix("/")
        if request.host in down or not file.is_file():
            return web.Response(status=503 if request.host in down else 404)
        return web.Response(body=file.read_bytes())

    async def block_page(_: web.Request) -> web.Response:
        return web.Response(text="<h1>This site is not available</h1>", content_type="text/html")

    ways: dict[tuple[str, int], str] = {}
    async with AsyncExitStack() as stack:
        blocked = await stack.enter_async_context(site(block_page))
        hosts = [await stack.enter_async_context(site(mirror)) for _ in range(4)]
        ways |= {(LOOPBACK, int(host.partition(":")[2])): host for host in hosts}
        proxies = [await stack.enter_async_context(http_proxy(ways)) for _ in range(2)]
        database = Database.beside(signer.state.path, origin=ORIGIN)
        stack.callback(database.close)
        seen = _Watched(database, signer, folder, proxies, clock)
        public, flaky, *spares = [f"http://{host}/" for host in hosts]
        named: list[tuple[str, Role]] = [(public, "public"), (flaky, "public")]
        keep_known(database, [*named, *((url, "spare") for url in spares)], now=NOW)
        task = await stack.enter_async_context(running(seen, signer))

        await seen.until(lambda listed: set(listed) == {public, flaky})
        down.add(hosts[1])  # a website that is down
        await seen.until_state(flaky, "down")
        struck = time.monotonic()
        ways[LOOPBACK, int(hosts[0].partition(":")[2])] = blocked
        await seen.until(lambda listed: listed.get(public) == ("RU",))
        await seen.until(lambda listed: set(listed) & set(spares))
        took_s = time.monotonic() - struck

        assert not task.done()
    changes = Mirrors(signer.state.db).changes()
    [spare] = seen.listed().keys() & set(spares)
    index = await asyncio.to_thread(seen.index)

    assert took_s < 20
    assert index.count == 1
    assert ("announced", spare) in [(did, url) for _, did, url, _ in changes]
    assert ("is blocked", flaky) not in [(did, url) for _, did, url, _ in changes]
    # The rest comes in one message, later.
    assert seen.told[0] in [f"added {url}: it works" for url in (public, flaky)]
    assert seen.names == [spare]


class _Watched:
    """Mirrors on loopback that are looked at from two places in Russia, and from here."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        folder: Path,
        proxies: Sequence[Seen],
        clock: Callable[[], int],
    ) -> None:
        self.database, self.clock, self.folder = database, clock, folder
        self.trusted = signer.root
        places = [Vantage(each.address, "RU", f"http://{each.address}") for each in proxies]
        own = Own(database, signer.root)
        self.watch = Watch(own, (*places, PLACES[-1]), every_s=2, spread_s=0.1, fetch_s=2)
        self.told: list[str] = []
        self.names: list[str] = []

    async def always(self) -> None:
        async def tell(_: str, lines: Sequence[str]) -> None:
            self.told += lines

        async def publish(addresses: Sequence[str]) -> None:
            self.names = list(addresses)

        outlets = Outlets(publish, tell)
        await rotate_always(
            lambda: look(self.database, self.watch, now=self.clock),
            lambda: rotate(self.database, outlets, now=self.clock, changes_per_day=8),
            every_s=0.2,
        )

    def index(self) -> Index:
        """Return the index as a reader verifies it."""
        proof = (self.folder / INDEX_PROOF).read_bytes()
        doc = newest(proof, Trust(self.trusted, self.clock())).doc
        data = (self.folder / Ref(doc.length, doc.sha256).path).read_bytes()
        check_bytes(data, doc)
        return Index.parse(data)

    def listed(self) -> dict[str, tuple[str, ...]]:
        return {each.url: each.blocked_in for each in self.index().mirrors}

    async def until(self, true: Callable[[dict[str, tuple[str, ...]]], object]) -> None:
        await until(lambda: true(self.listed()))

    async def until_state(self, url: str, state: str) -> None:
        rows = Mirrors(self.database).rows
        await until(lambda: any((each.url, each.state) == (url, state) for each in rows()))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while True:
            if true():
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(seen: _Watched, signer: Signer) -> AsyncIterator[asyncio.Task[None]]:
    """Run a daemon with one article, whose ticks are fast."""
    desk = replace(quiet_desk(signer, MemoryStore()), site=DirStore(seen.folder))
    signer.append([draft(signer, 1)], now=NOW)
    await run_cycle(desk, now=seen.clock)

    @asynccontextmanager
    async def desks() -> AsyncIterator[Desk]:
        yield desk

    orders = Orders()
    daemon = run(
        desks,
        time=Time(seen.clock, time.monotonic),
        ticks=lambda: ticks(0.2),
        orders=orders,
        beside=[seen.always],
    )
    task = asyncio.create_task(daemon)
    try:
        yield task
    finally:
        orders.stop()
        await task
