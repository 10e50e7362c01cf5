"""What a store holds, held against our own tree."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from copier_site import Counted, Site, Stop, making
from fakes import MemoryStore
from hypothesis import given
from hypothesis import strategies as st

from mirror.dag.contents import Contents
from mirror.errors import StoreError
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, PROOF, is_head
from mirror.inventory import DEAD, LEAST, Found, Inventory, all_paths, forget, sample


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with making(tmp_path) as site:
        yield site


@given(st.integers(0, 400), st.floats(0.001, 1))
def test_a_sample_is_a_part_and_never_too_small(count: int, share: float):
    paths = [f"a/{number:04}" for number in range(count)]
    picked = sample(iter(paths), share, pick=random.Random(1))

    assert len(set(picked)) == len(picked)
    assert set(picked) <= set(paths)
    assert len(picked) >= min(count, LEAST)
    assert picked == sorted(picked)


def test_every_file_has_the_same_chance():
    pick, seen = random.Random(2), Counter[str]()
    for _ in range(2000):
        seen.update(sample(map(str, range(100)), 0.01, pick=pick))

    assert len(seen) == 100
    assert max(seen.values()) < 2 * min(seen.values())


def test_all_of_a_sample_of_all_is_looked_at():
    assert sample(map(str, range(500)), 1.0, pick=random.Random(3)) == [str(n) for n in range(500)]


class Far:
    """A site, a store that holds it, and who audits it an hour later."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.store = MemoryStore()
        self.slept: list[float] = []
        self.contents = Contents(site.beside, site.folder)

    async def fill(self) -> None:
        await self.site.copier(self.store).follow()

    def inventory(self) -> Inventory:
        return Inventory(self.store, self.contents, self.site.beside, sleep=self.nap)

    async def nap(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def audit(self, after_s: int = 3600) -> dict[str, str]:
        now = self.site.clock() + after_s
        audit = await self.inventory().audit(1.0, rate=4.0, now=now, cache_s=300)
        self.looked, self.behind = audit.looked, audit.behind
        return {each.path: each.flaw for each in audit.found}


@pytest.fixture
async def far(site: Site) -> Far:
    return Far(site)


async def test_a_store_that_has_all_has_no_flaws(far: Far):
    await far.fill()

    assert await far.audit() == {}
    assert far.looked == len(far.site.files()) == len(list(all_paths(far.contents)))
    assert far.slept == [0.25] * far.looked
    assert far.behind == 0


async def test_what_is_missing_wrong_or_not_to_be_had_is_told(
    far: Far, monkeypatch: pytest.MonkeyPatch
):
    await far.fill()
    lost, wrong, silent = sorted(path for path in far.store.kept if path.endswith(".html"))[:3]
    del far.store.kept[lost]
    far.store.kept[wrong] = b"other"

    async def get(path: str) -> bytes | None:
        if path == silent:
            raise StoreError("memory: does not answer")
        return far.store.kept.get(path)

    monkeypatch.setattr(far.store, "get", get)

    assert await far.audit() == {lost: "missing", wrong: "wrong", silent: "no answer"}


async def test_a_place_that_does_not_answer_is_said_once_and_soon(
    far: Far, monkeypatch: pytest.MonkeyPatch
):
    await far.fill()
    asked: list[str] = []

    async def get(path: str) -> bytes | None:
        asked.append(path)
        raise StoreError(f"memory: {path}: connection refused")

    monkeypatch.setattr(far.store, "get", get)
    with pytest.raises(StoreError) as e:
        await far.audit()

    why = f"{asked[0]}: connection refused"
    assert str(e.value) == f"memory: does not answer: nothing was compared: {why}"
    assert len(asked) == DEAD


async def test_what_is_still_to_be_sent_is_not_judged(far: Far):
    await far.fill()
    await far.site.publish(1, text="An edit")

    assert await far.audit() == {}
    assert far.behind > 10


async def test_what_changed_just_now_is_not_judged(far: Far):
    await far.fill()
    far.store.kept[CHECKPOINT] = b"a cache shows the old one"
    [page] = [path for path in far.store.kept if path.endswith("/1.html")][:1]
    far.store.kept[page] = b"other"

    assert await far.audit(after_s=60) == {page: "wrong"}
    assert await far.audit() == {page: "wrong", CHECKPOINT: "wrong"}


async def test_a_store_that_was_never_filled_or_is_forgotten_is_not_judged(far: Far):
    with pytest.raises(StoreError, match="memory: not filled yet"):
        await far.audit()
    await far.fill()
    forget(far.site.beside, "memory")
    with pytest.raises(StoreError, match="memory: not filled yet"):
        await far.audit()


async def test_a_repair_writes_only_what_is_wrong_and_heads_last(far: Far):
    await far.fill()
    page = next(path for path in far.store.kept if path.endswith("/1.html"))
    for path in (page, CHECKPOINT):
        far.store.kept[path] = b"other"
    del far.store.kept[f"{page}{PROOF}"]
    far.store.order.clear()
    inventory = far.inventory()
    audit = await inventory.audit(1.0, now=far.site.clock() + 3600, cache_s=300)
    written = await inventory.repair(audit.found)

    assert far.store.order == [page, f"{page}{PROOF}", CHECKPOINT]
    assert sorted(written) == sorted(far.store.order)
    assert far.store.kept == far.site.files()


async def test_a_repair_that_is_killed_takes_no_head_away(far: Far):
    await far.fill()
    site = far.site.files()
    page = next(path for path in site if path.endswith("/1.html"))
    wrong = (page, f"{page}{PROOF}", "index.html", CHECKPOINT, INDEX_PROOF)
    heads = {path for path in site if is_head(path) or path.endswith(PROOF)}
    found = [Found(path, "store", "wrong") for path in wrong]
    calls = 0
    for last in range(100):
        far.store.kept = site | dict.fromkeys(wrong, b"other")
        store = Counted(far.store, killed_after(last))
        try:
            await Inventory(store, far.contents, far.site.beside).repair(found)
        except Stop:
            calls += 1

        assert heads <= far.store.kept.keys()
        assert store.of("delete") in ([], [page])
    assert calls > 2 * len(wrong)
    assert far.store.kept == site


def killed_after(count: int) -> Callable[[str, str], None]:
    """Return what kills the process before the call after the first `count`."""
    rest = iter(range(count))

    def before(what: str, path: str) -> None:
        if next(rest, None) is None:
            raise Stop(f"{what} {path}")

    return before


async def test_erasing_removes_what_leads_to_others_first_and_nothing_else(far: Far):
    await far.fill()
    far.store.kept["own.txt"] = b"the provider's"
    count = await far.inventory().erase()
    removed = far.store.deleted[-count:]

    assert far.store.kept == {"own.txt": b"the provider's"}
    assert count == len(far.site.files())
    assert removed[:2] == [INDEX_PROOF, CHECKPOINT]
    first_fixed = next(n for n, path in enumerate(removed) if not is_head(path))
    assert not [path for path in removed[first_fixed:] if path.endswith("index.html")]
