"""Rounds of looks at real mirrors, over real proxies in a country whose filter a test moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from fetch_proxies import http_proxy, socks5
from fetch_servers import site
from test_mirrors_probe import Room, close, copy, hang, published, room, wire

from mirror.database import Database
from mirror.errors import StateError
from mirror.fetch import Fetcher
from mirror.mirrors import KEPT_S, Mirror, Mirrors
from mirror.mirrors.states import CLEARS
from mirror.mirrors.vantage import Vantage
from mirror.mirrors.watch import Round, Watch, keep_known, known, look

__all__ = ["published", "room"]

EVERY_S = 300
PATIENT_S = 8.0  # for what comes, also on a slow machine
DETECTED_S = 15 * 60
ONE, TWO, SPARE = (("one.test", 8001), ("two.test", 8002), ("spare.test", 8003))


def url_of(target: tuple[str, int]) -> str:
    return f"http://{target[0]}:{target[1]}/"


class Country:
    """Three mirrors, two places in one country, a control outside; `inside` is what they reach."""

    def __init__(self, room: Room, stack: AsyncExitStack) -> None:
        self.room, self.db, self._stack = room, room.signer.state.db, stack
        self.inside: dict[tuple[str, int], str] = {}
        self.outside: dict[tuple[str, int], str] = {}
        self.servers = {target: AsyncExitStack() for target in (ONE, TWO, SPARE)}
        self.proxies = {name: AsyncExitStack() for name in ("control", "relay", "home")}
        self.watch = Watch(room.own, (), EVERY_S, spread_s=0, fetch_s=PATIENT_S)

    async def start(self) -> None:
        for target, stack in self.servers.items():
            await self._stack.enter_async_context(stack)
            host = await stack.enter_async_context(copy(self.room.store.kept))
            self.inside[target] = self.outside[target] = host
        self.cut = await self._stack.enter_async_context(wire(close))
        self.silent = await self._stack.enter_async_context(wire(hang))
        made = {
            "control": http_proxy(self.outside),
            "relay": socks5(self.inside),
            "home": http_proxy(self.inside),
        }
        places = []
        for name, proxy in made.items():
            await self._stack.enter_async_context(self.proxies[name])
            seen = await self.proxies[name].enter_async_context(proxy)
            kind = "socks5h" if name == "relay" else "http"
            country = "" if name == "control" else "RU"
            address = f"{kind}://{seen.address}"
            places.append(Vantage(name, country, address, control=name == "control"))
        self.watch = replace(self.watch, vantages=tuple(places))
        named = [(url_of(ONE), "public"), (url_of(TWO), "public"), (url_of(SPARE), "spare")]
        keep_known(self.db, named, now=self.room.clock())

    def announce(self, *targets: tuple[str, int]) -> None:
        mirrors = Mirrors(self.db)
        with self.db.transaction():
            for target in targets:
                known = mirrors.find(url_of(target))
                assert known is not None
                mirrors.put(replace(known, announced=self.room.clock()))

    async def look(self) -> Round:
        """Look when the next mirror is due."""
        self.room.clock.now = min(each.due for each in self.rows()) or self.room.clock.now
        return await look(self.db, self.watch, now=self.room.clock)

    async def until(self, target: tuple[str, int], state: str) -> int:
        """Look until a mirror is in a state; return after how many seconds it was."""
        begun = self.room.clock.now
        while self.of(target).state != state:
            await self.look()
            assert self.room.clock.now - begun < 24 * 3600
        return self.room.clock.now - begun

    def rows(self) -> list[Mirror]:
        return Mirrors(self.db).rows()

    def of(self, target: tuple[str, int]) -> Mirror:
        return next(each for each in self.rows() if each.url == url_of(target))


@pytest.fixture
async def country(room: Room) -> AsyncIterator[Country]:
    async with AsyncExitStack() as stack:
        country = Country(room, stack)
        await country.start()
        yield country


async def test_mirrors_that_work_from_everywhere_are_healthy_after_one_round(country: Country):
    found = await country.look()

    assert [each.state for each in country.rows()] == ["healthy"] * 3
    # Three from three places; the spare from the control alone.
    assert len(found.probes) == 7
    assert {each.after.state for each in found.changes} == {"healthy"}
    assert {did for _, did, _, _ in Mirrors(country.db).changes()} == {"is healthy"}
    assert len(Mirrors(country.db).history(url_of(ONE))) == 3


async def test_a_block_is_found_within_a_quarter_of_an_hour_and_no_other_mirror_minds(
    country: Country,
):
    await country.look()
    country.announce(ONE, TWO)
    country.inside[ONE] = country.cut

    took_s = await country.until(ONE, "blocked")

    assert took_s <= DETECTED_S
    assert country.of(ONE).blocked_in == ("RU",)
    assert "blocked in RU: http-failure from relay (RU): " in country.of(ONE).reason
    assert {country.of(TWO).state, country.of(SPARE).state} == {"healthy"}


async def test_a_website_that_is_down_is_never_called_blocked(country: Country):
    await country.look()
    await country.servers[ONE].aclose()

    await country.until(ONE, "down")

    dids = {did for _, did, url, _ in Mirrors(country.db).changes() if url == url_of(ONE)}
    assert dids == {"is healthy", "is suspect", "is down"}
    assert country.of(ONE).blocked_in == ()


async def test_a_mirror_that_is_reached_again_is_healthy_again(country: Country):
    await country.look()
    country.inside[ONE] = country.cut
    await country.until(ONE, "blocked")
    country.inside[ONE] = country.outside[ONE]

    took_s = await country.until(ONE, "healthy")

    assert took_s <= CLEARS * EVERY_S
    assert country.of(ONE).blocked_in == ()


async def test_a_mirror_that_hangs_delays_no_other_and_ends_in_time(country: Country):
    await country.look()
    country.inside[ONE] = country.outside[ONE] = country.silent
    country.watch = replace(country.watch, fetch_s=1.5)
    async with asyncio.timeout(20):
        found = await look(
            country.db, country.watch, only=[url_of(ONE), url_of(TWO)], now=country.room.clock
        )

    assert {each.outcome for each in found.probes if each.url == url_of(ONE)} == {"http-failure"}
    assert {each.outcome for each in found.probes if each.url == url_of(TWO)} == {"ok"}


async def test_a_place_that_is_dead_is_named_and_its_word_is_not_kept(country: Country):
    await country.look()
    await country.proxies["relay"].aclose()

    found = await country.look()

    assert set(found.unheard) == {"relay"}
    assert "cannot be reached" in found.unheard["relay"]
    assert {each.vantage for each in found.probes} == {"control", "home"}
    assert [each.state for each in country.rows()] == ["healthy"] * 3


async def test_a_machine_elsewhere_that_lets_nobody_in_is_named(country: Country, tmp_path: Path):
    relay = Vantage("relay", "RU", ssh="me@127.0.0.1:1", secret=tmp_path)
    others = (each for each in country.watch.vantages if each.name != "relay")
    country.watch = replace(country.watch, vantages=(relay, *others))

    found = await country.look()

    assert found.unheard["relay"].startswith("relay: 127.0.0.1: ")
    assert [each.state for each in country.rows()] == ["healthy"] * 3


async def test_a_place_without_a_line_is_named_and_makes_no_suspects(country: Country):
    await country.look()
    country.inside.clear()  # both say that no host can be reached, also of a secret spare
    for _ in range(4):
        found = await country.look()

    assert set(found.unheard) == {"relay", "home"}
    assert [each.state for each in country.rows()] == ["healthy"] * 3


async def test_a_liar_is_told_at_the_first_look(country: Country):
    page = country.room.page
    lies = {**country.room.store.kept, page: country.room.store.kept[page] + b"<script></script>"}
    async with copy(lies) as host:
        country.inside[ONE] = country.outside[ONE] = host
        found = await country.look()

    assert country.of(ONE).state == "lying"
    assert "content-tampered from control: tampered: " in country.of(ONE).reason
    assert {each.after.url for each in found.changes if each.after.state == "lying"} == {
        url_of(ONE)
    }


async def test_a_mirror_cannot_tell_who_looks_from_a_reader(room: Room):
    agents = set()

    async def handler(request: web.Request) -> web.Response:
        agents.add(request.headers["User-Agent"])
        return web.Response(body=room.store.kept[request.path[1:]])

    async with site(handler) as host:
        keep_known(room.own.db, [(f"http://{host}/", "public")], now=room.clock())
        found = await look(room.own.db, Watch(room.own, spread_s=0), now=room.clock)

    assert [each.outcome for each in found.probes] == ["ok"]
    assert agents == {"Mozilla/5.0"}


async def test_a_mirror_that_is_not_due_is_left_alone(country: Country):
    await country.look()
    country.room.clock.now += EVERY_S - 1

    assert await look(country.db, country.watch, now=country.room.clock) == Round((), ())


async def test_what_others_write_during_a_round_stays(country: Country):
    async def sleep(_: float) -> None:
        if country.of(ONE).announced is None:
            country.announce(ONE)

    await look(country.db, country.watch, now=country.room.clock, sleep=sleep)

    assert country.of(ONE).announced == country.room.clock.now
    assert country.of(ONE).state == "healthy"


async def test_no_name_is_asked_over_more_than_two_connections_at_once(country: Country):
    serving, most = 0, 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal serving, most
        serving += 1
        most = max(most, serving)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.05)
        finally:
            serving -= 1

    crowd = [f"http://one.test:8001/{n}/" for n in range(8)]
    keep_known(country.db, [(each, "public") for each in crowd], now=country.room.clock())
    async with wire(slow) as host:
        country.inside[ONE] = country.outside[ONE] = host
        found = await country.look()

    assert len(found.probes) == 24
    assert 0 < most <= 2


async def test_a_place_that_fails_for_one_mirror_alone_is_heard_and_says_so(country: Country):
    async with AsyncExitStack() as stack:
        hangs_up = await stack.enter_async_context(wire(close))

        def fetcher(hosts: Sequence[str], proxy: str, fetch_s: float) -> Fetcher:
            dead = proxy.startswith("socks5h") and hosts == ["one.test:8001"]
            over = f"socks5h://{hangs_up}" if dead else proxy
            return Fetcher(allow_hosts=hosts, proxy=over, timeout_s=fetch_s)

        country.watch = replace(country.watch, fetcher=fetcher)
        found = await country.look()

    assert found.unheard == {}
    assert [each.vantage for each in found.probes if each.outcome == "tcp_ip"] == ["relay"]
    assert country.of(ONE).state == "suspect"


async def test_a_service_of_tor_is_judged_by_those_who_have_tor(country: Country):
    onion = ("abc.onion", 8004)
    keep_known(country.db, [(url_of(onion), "public")], now=country.room.clock())
    async with socks5({onion: country.outside[ONE]}) as seen:
        tor = Vantage("tor", proxy=f"socks5h://{seen.address}")
        country.watch = replace(country.watch, vantages=(*country.watch.vantages, tor))
        for _ in range(3):
            found = await country.look()

    assert {each.vantage: each.outcome for each in found.probes} == {
        "relay": "tcp_ip",  # a proxy like others
        "tor": "ok",
    }
    assert country.of(onion).state == "healthy"


async def test_a_damaged_database_is_told_and_is_no_mirrors_fault(country: Country):
    with country.db.transaction():
        country.db.execute("DELETE FROM tile")

    with pytest.raises(StateError, match="tile 0/0 is missing"):
        await country.look()
    assert Mirrors(country.db).history(url_of(ONE)) == []


async def test_mirrors_are_looked_at_when_they_are_due_and_sooner_when_one_is_suspect(
    country: Country,
):
    looks = []
    for n, wait_s in enumerate((0, EVERY_S - 1, 1, EVERY_S, EVERY_S // 5)):
        country.room.clock.now += wait_s
        if n == 3:
            country.inside[ONE] = country.cut
        found = await look(country.db, country.watch, now=country.room.clock)
        looks.append(len(found.probes))

    assert looks == [7, 0, 7, 7, 3]
    assert country.of(ONE).state == "blocked"


# The table follows the settings.


@pytest.fixture
def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database.open(tmp_path / "known.db", origin="test")
    yield db
    db.close()


def test_how_mirrors_were_is_forgotten_after_a_week_and_what_was_done_is_not(db: Database):
    mirrors = Mirrors(db)
    with db.transaction():
        mirrors.note("is down", "https://a/", "refused", now=0)
        mirrors.note("distrusted", "https://a/", "it lies", now=0)
        mirrors.note("is healthy", "https://a/", "works", now=KEPT_S)
        mirrors.add([], now=KEPT_S + 1)

    assert [did for _, did, _, _ in mirrors.changes()] == ["is healthy", "distrusted"]


def test_to_know_of_mirrors_writes_nothing():
    held = Mirror("https://a/", "public", "healthy", 5, 6)
    named = [("https://b/", "spare"), ("https://a/", "private")]
    found = known([held, Mirror("https://gone/", "spare")], named, now=7)

    assert found == [replace(held, role="private"), Mirror("https://b/", "spare", since=7)]


def test_mirrors_of_the_settings_are_known_and_keep_their_roles(db: Database):
    rows = keep_known(db, [("https://b/", "spare"), ("https://a/", "public")], now=7)

    assert [(each.url, each.role, each.state) for each in rows] == [
        ("https://a/", "public", "new"),
        ("https://b/", "spare", "new"),
    ]


def test_what_is_known_of_a_mirror_outlives_a_change_of_its_role(db: Database):
    keep_known(db, [("https://a/", "public")], now=7)
    known = Mirror("https://a/", "public", "blocked", 8, 9, "why", 10, ("RU",))
    with db.transaction():
        Mirrors(db).put(known)

    assert keep_known(db, [("https://a/", "spare")], now=11) == [replace(known, role="spare")]


def test_a_mirror_that_left_the_settings_is_forgotten_and_that_is_noted(db: Database):
    keep_known(db, [("https://a/", "public"), ("https://b/", "public")], now=7)

    assert [each.url for each in keep_known(db, [("https://b/", "public")], now=8)] == [
        "https://b/"
    ]
    assert Mirrors(db).changes() == [
        (8, "forgotten", "https://a/", "the settings name it no longer")
    ]


def test_nothing_is_written_where_nothing_changed(db: Database):
    named = [("https://a/", "public")]
    keep_known(db, named, now=7)
    before = db.path.with_name(f"{db.path.name}-wal").stat().st_size
    keep_known(db, named, now=8)

    assert db.path.with_name(f"{db.path.name}-wal").stat().st_size == before
