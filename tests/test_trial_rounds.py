"""Mirrors are tried before they are announced, and again: the daemon's own way, real servers."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import fetch_servers
import pytest
from fakes import NOW, ORIGIN, Clock, draft
from fetch_proxies import http_proxy, socks5
from free_ports import free_port
from test_mirrors_probe import hang, wire
from trial_front import HABITS, Front

from mirror import build
from mirror.article.render.page import Masthead
from mirror.build.mirrors import addresses, look_after, mirrors_named, trials_of, watch_of
from mirror.database import Database
from mirror.errors import SettingsError
from mirror.formats.paths import CHECKPOINT
from mirror.init import Wishes, make
from mirror.keys import Keys
from mirror.mirrors import Mirror, Mirrors, Role
from mirror.mirrors import State as Standing
from mirror.mirrors.own import Own
from mirror.mirrors.vantage import Vantage
from mirror.mirrors.watch import keep_known, look
from mirror.press import Press
from mirror.rotate import Outlets
from mirror.settings import Settings
from mirror.settings.outside import MirrorSettings, StoreSettings, Watch
from mirror.signer import Signer
from mirror.state import State
from mirror.stores.dir import DirStore
from mirror.trial import Wire
from mirror.trial.rounds import ASK_S, PARALLEL, PLACES, Trials, try_due
from mirror.trial.verdicts import DAY_S, FIT_S, JITTER, UNKNOWN_S, Tried, keep, verdict

FAR = NOW + 1000 * DAY_S
CONTROL, RELAY = "control", "relay"


class House:
    """A mirror's folder with something published, and fronts before its site."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        make(folder, Wishes("N", ORIGIN, ["https://news.example/feed"]), now=NOW)
        self.config, self.site, self._stack = folder / "mirror.toml", folder / "site", stack
        self.state = State.open(folder / "state.db", origin=ORIGIN)
        self.clock, self.told = Clock(), list[str]()
        self.own = Own(self.db, build.newest_root(self.site / "trust"))
        self.settings = Settings.load(self.config).model_copy(update={"watch": Watch(every_s=10)})

    @property
    def db(self) -> Database:
        return self.state.db

    async def publish(self, *numbers: int) -> None:
        keys = Keys.load(self.config.parent / "keys", origin=ORIGIN)
        signer = Signer(keys, self.state, self.own.root, Masthead("N", ORIGIN, ""), "en")
        signer.append([draft(signer, n) for n in numbers], now=self.clock())
        await Press(signer, DirStore(self.site)).publish(now=self.clock)

    async def front(self, *habits: str) -> tuple[str, Front]:
        front = Front(self.site, *habits)
        host = await self._stack.enter_async_context(fetch_servers.site(front.answer))
        return f"http://{host}/", front

    def name(self, *urls: str, role: Role = "public", stores: Iterable[str] = ()) -> None:
        # Not checked: only proxies know the names here, and those lead to servers without TLS.
        mirrors = [MirrorSettings.model_construct(url=url, role=role) for url in urls]
        places = [
            StoreSettings(name=f"s{n}", kind="folder", to="x", public=url, role=role)
            for n, url in enumerate(stores)
        ]
        self.settings = self.settings.model_copy(update={"mirrors": mirrors, "stores": places})

    def seen_to_work(self, *urls: str, announced: int | None = None) -> None:
        """Let mirrors be as looks have found them, which are then not due for long."""
        with self.db.transaction():
            for url in urls:
                row = Mirror(url, "private", "healthy", NOW, announced, due=FAR)
                Mirrors(self.db).put(row)

    async def daemon(self, until: Callable[[], bool]) -> None:
        """Look after the mirrors as the daemon does, until that has come about."""

        async def tell(_: str, lines: Sequence[str]) -> bool:
            self.told += lines
            return True

        work = look_after(self.config, self.settings, now=self.clock, outlets=Outlets(None, tell))
        task = asyncio.create_task(work)
        async with asyncio.timeout(60):
            while not until():
                assert not task.done(), task.result()
                await asyncio.sleep(0.05)
                self.clock.now += 30  # messages are minutes apart
        task.cancel()
        await asyncio.wait([task])

    def listed(self) -> set[str]:
        return {each.url for each in Mirrors(self.db).announced()}

    def role(self, url: str) -> str:
        return dict(mirrors_named(self.settings, self.db))[url]

    # One round, without a daemon.

    @property
    def trials(self) -> Trials:
        return trials_of(self.config, self.settings, self.own)

    async def round(self, trials: Trials | None = None, **more: object) -> list[Tried]:
        named = dict(addresses(self.settings))
        return await try_due(self.db, trials or self.trials, named, now=self.clock, **more)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        house = House(tmp_path / "m", stack)
        await house.publish(1, 2, 3)
        yield house
        house.state.close()


# As the daemon does it.

HARMFUL = {habit: words for habit, _, level, words in HABITS if level == "bad"}
HARMFUL["drops endings"] = "not shown: .tlog-proof"


async def test_no_mirror_that_harms_readers_is_announced_and_the_operator_is_told_why(
    house: House,
):
    bad = {(await house.front(habit))[0]: words for habit, words in HARMFUL.items()}
    good, poor = (await house.front())[0], (await house.front("says who"))[0]
    volunteers, stores = [good, *list(bad)[::2]], [poor, *list(bad)[1::2]]
    house.name(*volunteers, stores=stores)
    house.seen_to_work(*volunteers, *stores)

    await house.daemon(lambda: len(house.told) == len(bad) + 2)

    assert house.listed() == {good, poor}
    for url, words in bad.items():
        [line] = [each for each in house.told if url.removeprefix("http://") in each]
        assert line.startswith(f"unfit {url}: ")
        assert words in line
        assert house.role(url) == "private"


async def test_a_mirror_that_turns_bad_is_taken_back_and_returns_when_it_is_mended(house: House):
    (url, front), (other, _) = await house.front(), await house.front()
    house.name(url, other)
    house.seen_to_work(url, other)
    await house.daemon(lambda: len(house.told) == 2)
    assert house.listed() == {url, other}
    front.habits = frozenset({"adds cookies"})
    house.clock.now += round(FIT_S * (1 + JITTER))

    await house.daemon(lambda: len(house.told) == 4)

    assert house.listed() == {other}
    assert sorted(each.partition(" http")[0] for each in house.told[2:]) == ["removed", "unfit"]
    assert any("adds cookies to .html" in each for each in house.told[2:])
    assert house.role(url) == "private"

    front.habits = frozenset()
    house.clock.now += DAY_S + 1  # one that was taken off returns after a day that was good
    await house.daemon(lambda: house.listed() == {url, other})

    dids = [did for _, did, at, _ in Mirrors(house.db).changes() if at == url]
    assert dids == ["added", "is fit", "removed", "unfit", "added", "is fit"]


async def test_one_that_the_operator_makes_private_goes_although_it_alone_is_listed_and_harms(
    house: House,
):
    url, _ = await house.front("adds cookies")
    house.name(url)
    house.seen_to_work(url, announced=NOW)
    await house.daemon(lambda: len(house.told) == 2)
    assert sorted(each.split()[0] for each in house.told) == ["held", "unfit"]
    assert house.listed() == {url}

    house.name(url, role="private")
    await house.daemon(lambda: len(house.told) == 3)

    assert house.told[2:] == [f"removed {url}: it is private"]
    assert house.listed() == set()


async def test_who_cannot_be_reached_is_not_unfit(house: House):
    new, old = (f"http://127.0.0.1:{free_port()}/" for _ in range(2))
    house.name(new, old)
    house.seen_to_work(new)
    house.seen_to_work(old, announced=NOW)

    await house.daemon(lambda: verdict(house.db, old).problem != "")

    assert house.listed() == {old}
    assert (house.role(new), house.role(old)) == ("private", "public")
    assert house.told == []
    assert "no connection: connect call failed" in verdict(house.db, new).reason


async def test_a_place_that_serves_stale_copies_is_named_and_not_announced(house: House):
    url, _ = await house.front("stale")
    house.name(url)
    watch = replace(watch_of(house.config, house.settings, house.own), spread_s=0)
    keep_known(house.db, mirrors_named(house.settings, house.db), now=NOW)
    await look(house.db, watch, now=house.clock)
    await house.publish(4)
    house.clock.now += 3 * 3600
    await look(house.db, watch, now=house.clock)
    await house.round()
    [row] = keep_known(house.db, mirrors_named(house.settings, house.db), now=house.clock())

    assert row.state != "healthy"
    assert "lacks the newest" in row.reason


async def test_no_header_can_be_such_that_what_was_found_cannot_be_kept(house: House):
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/\xff\tx\r\n"
        b"Cache-Control: max-age=9999, \x9b\xff\r\nContent-Length: 2\r\n\r\n"
    )
    async with fetch_servers.raw(head + b"ok") as host:
        house.name(f"http://{host}/")
        await house.round()
        found = verdict(house.db, f"http://{host}/")

    assert found.fit is False
    assert {".html: text/\ufffd x", "max-age=9999, \ufffd\ufffd"} <= {
        each.saw.partition("; ")[0].rpartition("kept too long: ")[2] for each in found.faults
    }


async def test_a_fit_mirror_that_is_at_fault_once_is_not_taken_back(house: House):
    url, front = await house.front()
    house.name(url)
    await house.round()
    front.habits = frozenset({"adds cookies"})
    house.clock.now += round(FIT_S * (1 + JITTER))
    await house.round()

    assert house.role(url) == "public"
    assert verdict(house.db, url).reason.startswith("seen once, and is tried again: adds cookies")

    front.habits = frozenset()
    house.clock.now += round(UNKNOWN_S * (1 + JITTER))
    await house.round()

    assert verdict(house.db, url).reason == ""
    assert [did for _, did, _, _ in Mirrors(house.db).changes()] == ["is fit"]

    front.habits = frozenset({"adds cookies"})
    await house.round(only=[url])  # an operator's own order

    assert house.role(url) == "private"


# When.


async def test_each_is_tried_weekly_and_not_all_at_once(house: House):
    fronts = [await house.front() for _ in range(3)]
    house.name(*(url for url, _ in fronts))
    times: dict[str, list[int]] = {url: [] for url, _ in fronts}
    for _ in range(5 * 7 * 4):
        for each in await house.round():
            times[each.url].append(house.clock.now)
        house.clock.now += DAY_S // 4
    gaps = [b - a for some in times.values() for a, b in pairwise(some)]

    assert all(4 <= len(some) <= 6 for some in times.values())
    assert all(FIT_S * (1 - JITTER) <= gap <= FIT_S * (1 + JITTER) + DAY_S // 4 for gap in gaps)
    assert len({some[-1] for some in times.values()}) > 1
    asked, first = sum(len(front.asked) for _, front in fronts), len(fronts)
    # At first its index.html may not be there yet.
    assert asked == 8 * sum(map(len, times.values())) - first


async def test_one_that_does_not_answer_is_tried_again_soon(house: House):
    url, front = await house.front("is ill")
    house.name(url)

    [tried] = await house.round()

    assert tried.problem.endswith("asked again later")
    assert await house.round() == []

    front.habits = frozenset()
    house.clock.now += round(UNKNOWN_S * (1 + JITTER))

    assert [each.problem for each in await house.round()] == [""]
    assert house.role(url) == "public"


@pytest.mark.parametrize(("state", "listed"), [("down", 0), ("lying", 0), ("suspect", 1)])
async def test_one_that_fails_as_a_mirror_is_not_tried_unless_asked_for(
    house: House, state: Standing, listed: int
):
    url, front = await house.front()
    house.name(url)
    with house.db.transaction():
        Mirrors(house.db).put(Mirror(url, "public", state, NOW, NOW if listed else None))

    assert await house.round() == []
    assert front.asked == []
    assert [each.url for each in await house.round(only=[url])] == [url]


async def test_a_store_that_is_being_filled_is_not_unfit(house: House, tmp_path: Path):
    url, front = await house.front()
    front.folder = tmp_path / "filling"
    shutil.copytree(house.site, front.folder)
    (front.folder / CHECKPOINT).unlink()
    house.name(url)
    await house.round()

    assert verdict(house.db, url).reason == (
        "not found fit yet: not shown: checkpoint (no ending): status 404"
    )
    assert Mirrors(house.db).changes() == []

    front.folder = house.site
    house.clock.now += round(UNKNOWN_S * (1 + JITTER))
    await house.round()

    assert house.role(url) == "public"


async def test_what_is_in_no_list_is_not_tried(house: House):
    url, front = await house.front()
    house.name(url, role="private")

    assert await house.round() == []
    assert front.asked == []


async def test_one_that_hangs_delays_no_other(house: House):
    async with wire(hang) as host:
        url, _ = await house.front()
        house.name(f"http://{host}/", url)
        trials = replace(
            house.trials, wire=lambda hosts, proxy: Wire(allow_hosts=hosts, timeout_s=1)
        )
        found = {each.url: each.problem for each in await house.round(trials)}

    assert found[url] == ""
    assert "too slow: not done in 1 s" in found[f"http://{host}/"]


async def test_one_that_answers_slowly_does_not_hold_up_what_is_done_about_others(house: House):
    asked = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    async with wire(stall) as host:
        slow, other = f"http://{host}/", (await house.front())[0]
        house.name(slow, other)
        house.seen_to_work(slow, other)
        with house.db.transaction():
            keep(house.db, Tried(other), now=NOW, jitter=0)
        begun = time.monotonic()
        await house.daemon(lambda: asked.is_set() and house.listed() == {other})

    assert time.monotonic() - begun < ASK_S
    assert verdict(house.db, slow).due == 0


async def test_what_ends_one_of_those_who_look_and_try_ends_both_and_is_told(house: House):
    (house.config.parent / "state.db").unlink()

    with pytest.raises(SettingsError, match="no database yet"):
        await look_after(house.config, house.settings, now=house.clock, outlets=Outlets())


async def test_a_round_holds_up_the_next_for_a_few_hosts_only(house: House):
    many = [f"http://127.0.0.1:{free_port()}/{path}" for _ in range(PARALLEL + 2) for path in "xy"]
    house.name(*many)

    rounds = [{each.url for each in await house.round()} for _ in range(4)]

    assert [len({urlsplit(url).netloc for url in some}) for some in rounds[:2]] == [PARALLEL] * 2
    assert [len(some) for some in rounds] == [PARALLEL, PARALLEL, 4, 0]
    assert set().union(*rounds) == set(many)


# From where.


def vantage(name: str, address: str) -> Vantage:
    if name == CONTROL:
        return Vantage(name, proxy=f"http://{address}", control=True)
    return Vantage(name, "RU", f"socks5h://{address}")


@pytest.mark.parametrize("role", ["spare", "public"])
@pytest.mark.parametrize("works", [True, False])
async def test_who_reads_what_passes_a_filter_learns_of_nothing(
    house: House, role: Role, works: bool
):
    url, front = await house.front()
    target, host = ("spare.test", 8003), url.split("/")[2]
    house.name("http://spare.test:8003/", role=role)
    known = {target: host} if works else {}
    async with socks5({target: host}) as inside, http_proxy(known) as outside:
        places = vantage(RELAY, inside.address), vantage(CONTROL, outside.address)
        [tried] = await house.round(replace(house.trials, places=places))

    assert (tried.problem == "", bool(front.asked)) == (works, works)
    assert set(outside.targets) == {target}
    assert inside.targets == []


async def test_a_spare_is_not_tried_where_all_is_filtered(house: House):
    url, front = await house.front()
    house.name(url, role="spare")
    async with socks5({}) as inside:
        trials = replace(house.trials, places=(vantage(RELAY, inside.address),))
        [spare] = await house.round(trials)
        house.name(url)
        [public] = await house.round(trials, only=[url])

    assert spare.problem == "no place without a filter to try it from"
    assert inside.targets == []
    assert (public.problem, len(front.asked)) == ("", 7)  # from here, as `mirror store test` does


async def test_an_untried_spare_is_shown_to_no_filter_by_those_who_look(house: House):
    url, _ = await house.front()
    target = ("spare.test", 8003)
    house.name("http://spare.test:8003/", role="spare")
    async with socks5({target: url.split("/")[2]}) as inside:
        watch = watch_of(house.config, house.settings, house.own)
        watch = replace(watch, vantages=(vantage(RELAY, inside.address),), spread_s=0)
        keep_known(house.db, mirrors_named(house.settings, house.db), now=NOW)
        await look(house.db, watch, now=house.clock)

    assert house.role("http://spare.test:8003/") == "private"
    assert inside.targets == []


async def test_where_one_control_is_dead_the_next_tries(house: House):
    url, _ = await house.front()
    target = ("one.test", 8001)
    house.name("http://one.test:8001/")
    async with http_proxy({target: url.split("/")[2]}) as outside:
        dead = vantage(CONTROL, f"127.0.0.1:{free_port()}")
        places = dead, replace(vantage(CONTROL, outside.address), name="second")
        [tried] = await house.round(replace(house.trials, places=places))
        [alone] = await house.round(
            replace(house.trials, places=(dead,)), only=["http://one.test:8001/"]
        )

    assert tried.problem == ""
    assert "from control: http://one.test:8001/checkpoint: proxy 127.0.0.1" in alone.problem


async def test_a_control_is_asked_before_a_place_of_which_no_filter_is_known(house: House):
    url, _ = await house.front()
    target, host = ("one.test", 8001), url.split("/")[2]
    house.name("http://one.test:8001/")
    async with http_proxy({target: host}) as control, http_proxy({target: host}) as other:
        unsaid = Vantage("unsaid", proxy=f"http://{other.address}")
        places = unsaid, vantage(CONTROL, control.address)
        [tried] = await house.round(replace(house.trials, places=places))

    assert (tried.problem, other.targets) == ("", [])
    assert set(control.targets) == {target}


async def test_one_that_does_not_answer_is_asked_from_two_places_at_most(house: House):
    target = ("one.test", 8001)
    house.name("http://one.test:8001/")
    async with AsyncExitStack() as stack:
        seen = [await stack.enter_async_context(http_proxy({})) for _ in range(PLACES + 1)]
        places = tuple(vantage(CONTROL, each.address) for each in seen)
        [tried] = await house.round(replace(house.trials, places=places))

    assert tried.problem.startswith("from control: ")
    assert [set(each.targets) for each in seen] == [*[{target}] * PLACES, set()]


async def test_a_service_of_tor_is_tried_over_tor_only(house: House):
    url, _ = await house.front()
    target = ("abc.onion", 8004)
    house.name("http://abc.onion:8004/")

    [direct] = await house.round()
    async with socks5({target: url.split("/")[2]}) as seen:
        places = Vantage("out", control=True), Vantage("tor", proxy=f"socks5h://{seen.address}")
        [over] = await house.round(
            replace(house.trials, places=places), only=["http://abc.onion:8004/"]
        )

    assert direct.problem == "no place without a filter to try it from"
    assert over.problem == ""
    assert {each.what for each in over.findings if each.level != "good"} == set()
    assert {"certificate", "http2"}.isdisjoint(each.what for each in over.findings)
