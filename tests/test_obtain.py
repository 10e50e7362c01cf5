"""A reader with several mirrors: what it finds, whom it asks, and what it keeps."""

import hashlib
import json
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import liars
import pytest
from fetch_proxies import socks5
from liars import black_hole, nobody, serving
from readers import ONE, PARTS, THREE, TWO, article_of, fetched, newsroom, reasons

from mirror.check.remember import Memory
from mirror.errors import SettingsError, VerifyError
from mirror.formats.index import Mirror as Listed
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, article_folder, short_id
from mirror.obtain import Web
from mirror.obtain.places import BESIDE, MAX_TAKEN
from mirror.obtain.search import LISTS
from tests.sites import NOW, Newsroom, article_id, path_of

FOLDER = article_folder(short_id(article_id(ONE)))
COPY = f"{FOLDER}/index.html"
OLD, NEWEST, LONG = path_of(ONE), path_of(ONE, 2), path_of(THREE)


def without(room: Newsroom, *beginnings: str) -> dict[str, bytes]:
    return {path: data for path, data in room.files.items() if not path.startswith(beginnings)}


def evidence(folder: Path, verdict: str) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob(f"memory.{verdict}-*")]


class Listing(Newsroom):
    """A newsroom whose index names mirrors."""

    mirrors: tuple[Listed, ...] = ()

    def index_document(self, time: int) -> object:
        return replace(super().index_document(time), mirrors=self.mirrors)


def listing(*urls: str, **options: object) -> Newsroom:
    room = Listing(**options)
    room.mirrors = tuple(Listed(url, "https", NOW) for url in urls)
    room.publish({ONE: "one"}, time=NOW)
    return room


# What is asked for.


@pytest.mark.parametrize(
    "target",
    [
        ONE,
        f"{ONE}?utm_source=feed#comments",
        ONE.replace("https", "http"),
        short_id(article_id(ONE)),
        f"https://dead.example/{FOLDER}/",
        f"https://dead.example/some/where/{OLD}?x=1#y",
    ],
)
async def test_an_article_is_found_by_its_address_its_id_or_its_place_on_any_mirror(
    tmp_path: Path, target: str
):
    room = newsroom()

    async with serving(room.files) as good:
        found = await fetched(tmp_path, room, target, good)

    assert found.ok
    assert article_of(found) == room.files[NEWEST]
    assert (found.title, found.rev, found.leaf, found.time) == (f"On {ONE}", 2, 3, NOW - 60)
    assert (found.confirmed_by, found.cosigned) == ("signatures", 0)


@pytest.mark.parametrize("target", ["", "news", "ftp://news.example/1", "a" * 19, "https://"])
async def test_what_is_neither_an_address_nor_an_id_is_said(tmp_path: Path, target: str):
    with pytest.raises(SettingsError, match="an article's address or its 20 characters"):
        await fetched(tmp_path, newsroom(), target, via=("https://mirror.example/",))


async def test_a_folder_that_was_carried_is_a_mirror_too(tmp_path: Path):
    room = newsroom()
    site = room.write(tmp_path)

    found = await fetched(tmp_path, room, THREE, str(site))

    assert found.ok
    assert found.mirror == str(site)
    assert not found.lacks


@pytest.mark.parametrize("via", ["/nowhere", "https://", "https://m.example/?a", "http://u@h/"])
async def test_what_is_no_mirror_is_said(tmp_path: Path, via: str):
    with pytest.raises(SettingsError, match="no address of a mirror"):
        await fetched(tmp_path, newsroom(), ONE, web=Web(), via=(via,))


async def test_without_a_mirror_to_ask_it_is_said_how_to_name_one(tmp_path: Path):
    with pytest.raises(SettingsError, match="--via"):
        await fetched(tmp_path, newsroom(), ONE)


async def test_without_a_root_it_is_said_how_to_name_one(tmp_path: Path):
    with pytest.raises(SettingsError, match="no root: --root FILE"):
        await fetched(tmp_path, newsroom(), ONE, root=None)
    with pytest.raises(SettingsError, match="nothing is remembered yet"):
        await fetched(tmp_path, newsroom(), ONE, root=None, remember=tmp_path / "memory")


# What has become of it.


async def test_a_withdrawn_article_is_not_shown_unless_that_is_asked_for(tmp_path: Path):
    room = newsroom()

    async with serving(room.files) as good:
        found = await fetched(tmp_path, room, TWO, good)
        shown = await fetched(tmp_path, room, TWO, good, even_withdrawn=True)

    assert (found.verdict, found.status, dict(found.files)) == ("withdrawn", "withdrawn", {})
    assert not found.ok
    assert (shown.verdict, shown.status, shown.ok) == ("valid", "withdrawn", False)
    assert article_of(shown) == room.files[path_of(TWO)]


async def test_a_withdrawal_is_proved_where_nothing_of_the_article_is_left(tmp_path: Path):
    room = newsroom()
    files = without(room, article_folder(short_id(article_id(TWO))))

    async with serving(files) as good:
        found = await fetched(tmp_path, room, TWO, good)

    assert found.verdict == "withdrawn"


async def test_an_article_that_was_never_published_is_said_to_be_unknown(tmp_path: Path):
    room = newsroom()

    async with serving(room.files) as good:
        found = await fetched(tmp_path, room, f"{ONE}/never", good)

    assert found.verdict == "missing"
    assert "not in the newsroom's index" in found.detail


async def test_an_article_that_every_mirror_withholds_is_said_to_exist(tmp_path: Path):
    room = newsroom()

    async with serving(without(room, "a/")) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert (found.verdict, found.title) == ("missing", f"On {ONE}")
    assert "the newsroom's index has it" in found.detail


async def test_the_newest_revision_is_looked_for_where_a_mirror_has_an_older_one(tmp_path: Path):
    room = newsroom()
    late = Newsroom()
    late.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    room.publish({f"{ONE}/{i}": "x" for i in range(31)}, time=NOW)  # ONE is among them no more
    behind = late.files | without(room, FOLDER)

    async with serving(behind) as one, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, one, good)
        alone = await fetched(tmp_path, room, ONE, one)

    assert (found.rev, found.status, found.mirror) == (2, "current", good.url)
    assert ("revision 2", "missing") in reasons(found, one)
    assert (alone.rev, alone.status, alone.ok) == (1, "superseded", True)
    assert article_of(alone) == late.files[OLD]


async def test_an_article_without_an_index_has_no_known_status(tmp_path: Path):
    room = newsroom()

    async with serving(without(room, INDEX_PROOF)) as good:
        found = await fetched(tmp_path, room, ONE, good)

    assert (found.ok, found.status, found.index) == (True, "status-unknown", None)
    assert reasons(found, good) == [("index", "missing")]


async def test_an_index_whose_document_one_mirror_lacks_comes_from_another(tmp_path: Path):
    room = newsroom()

    async with serving(without(room, "index/")) as one, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, one, good)

    assert found.index.mirror == good.url
    assert found.status == "current"


async def test_a_catalogue_that_contradicts_the_proof_is_not_believed(tmp_path: Path):
    room = newsroom()
    room.items[0] = replace(room.items[0], sha256=bytes(32))
    room.publish({}, time=NOW)

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert found.verdict == "not-in-log"
    assert not found.files


async def test_a_catalogue_that_has_another_article_in_its_place_is_not_believed(tmp_path: Path):
    room = newsroom()
    room.items[0] = replace(room.items[0], id="a" * 20)
    room.publish({}, time=NOW)

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert found.verdict == "not-in-log"
    assert ("article", "not-in-log") in reasons(found, one)


async def test_an_article_that_no_catalogue_can_be_had_for_has_no_known_status(tmp_path: Path):
    room = newsroom()
    room.publish({f"{ONE}/{i}": "x" for i in range(31)}, time=NOW)
    kept = room.index_document(NOW).catalogue[0].path

    async with serving(without(room, kept)) as one:
        found = await fetched(tmp_path, room, ONE, one)
        never = await fetched(tmp_path, room, f"{ONE}/never", one)

    assert (found.ok, found.status, found.index.size) == (True, "status-unknown", 39)
    assert (never.verdict, never.detail) == ("missing", "")


# The root.


def expired(room: Newsroom) -> bytes:
    """Let the root expire; return the next one, which does not."""
    old = room.sign_root(room.make_root(expires=NOW - 1))
    room.root = old
    room.files["trust/1.root.json"] = bytes(old)
    return bytes(room.sign_root(room.make_root(version=2)))


async def test_under_an_expired_root_an_article_is_shown_and_no_index_believed(tmp_path: Path):
    room = newsroom()
    expired(room)

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert (found.ok, found.status, found.index) == (True, "status-unknown", None)
    assert reasons(found, one) == [("index", "expired-root")]


async def test_a_newer_root_that_one_mirror_withholds_comes_from_another(tmp_path: Path):
    room = newsroom()
    second = expired(room)

    async with (
        serving(room.files) as one,
        serving(room.files | {"trust/2.root.json": second}) as good,
    ):
        found = await fetched(tmp_path, room, ONE, one, good)

    assert (found.root_version, found.status) == (2, "current")
    assert found.files["trust/2.root.json"] == second


async def test_a_log_that_a_newer_root_has_closed_is_revoked_at_a_mirror_that_hides_it(
    tmp_path: Path,
):
    room = newsroom()
    after = Newsroom("news.example/next")
    after.publish({ONE: "one, once more"}, time=NOW)
    second = after.sign_root(after.make_root(version=2, closed=[room.closed(3)]))
    moved = after.files | {
        "trust/1.root.json": bytes(room.root),
        "trust/2.root.json": bytes(second),
    }

    async with serving(room.files) as stolen, serving(moved) as good:
        found = await fetched(tmp_path, room, ONE, stolen, good)

    assert ("index", "revoked-log") in reasons(found, stolen)
    assert (found.origin, found.rev, found.mirror) == ("news.example/next", 1, good.url)


# Several mirrors.


async def test_two_histories_that_are_both_signed_are_shown_to_nobody(tmp_path: Path):
    memory = tmp_path / "memory"
    room, other = newsroom(), Newsroom()
    other.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    other.publish({ONE: "for you alone", THREE: "three"}, time=NOW - 60, withdraw=[TWO])

    async with serving(room.files) as one, serving(other.files) as two:
        found = await fetched(tmp_path, room, ONE, one, two, remember=memory)

    assert found.verdict == "fork"
    assert not found.files
    assert len(evidence(tmp_path, "fork")) == 2


async def test_each_request_has_a_connection_of_its_own_and_a_mirror_at_most_two(tmp_path: Path):
    room = Newsroom(signs_files=True)
    room.publish({ONE: "long"}, time=NOW, parts={ONE: [b"%d" % i for i in range(9)]})

    async with serving(room.files, liars.takes_its_time) as good:
        found = await fetched(tmp_path, room, ONE, good)

    assert found.ok
    assert len(good.asked) > 30
    assert good.connections == len(good.asked)
    assert good.most_busy == 2


async def test_a_request_says_nothing_of_the_reader(tmp_path: Path):
    room = newsroom()

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good)

    said = {line.partition(":")[0] for head in good.heads for line in head.split("\r\n")[1:]}
    assert said == {"", "Host", "User-Agent", "Accept-Encoding", "Accept", "Connection"}
    assert all("\r\nConnection: close\r\n" in head for head in good.heads)
    assert "tamizdat" not in "".join(good.heads).lower()


async def test_a_dead_first_mirror_costs_less_than_its_own_time(tmp_path: Path):
    room = newsroom()

    with black_hole() as silent, nobody() as refusing:
        async with serving(room.files) as good:
            start = time.monotonic()
            found = await fetched(tmp_path, room, ONE, silent, refusing, good)
            took_s = time.monotonic() - start

    assert found.ok
    assert {word for _, word in reasons(found, silent)} == {"silent"}
    assert reasons(found, refusing)[0] == ("index", "failed")
    assert took_s < 5


async def test_mirrors_that_never_answer_keep_no_other_waiting_for_long(tmp_path: Path):
    room = newsroom()

    with black_hole() as a, black_hole() as b, black_hole() as c, black_hole() as d:
        async with serving(room.files) as good:
            found = await fetched(tmp_path, room, ONE, a, b, c, d, good)

    assert found.ok
    assert 2.5 < found.took_s < 6


async def test_a_mirror_that_never_answers_is_given_up(tmp_path: Path):
    room = newsroom()

    with black_hole() as silent:
        web = Web([silent.split("/")[2]], limit_s=0.2)
        found = await fetched(tmp_path, room, ONE, silent, web=web)

    assert found.verdict == "unreachable"
    assert reasons(found, silent) == [("index", "failed"), ("article", "failed")]
    assert "too slow" in found.refused[0].detail


async def test_a_line_that_loses_every_first_answer_is_asked_twice(tmp_path: Path):
    room, seen = newsroom(), set[str]()

    def loses(files: liars.Files, path: str) -> liars.Reply:
        reply = liars.honest(files, path)
        lost = path not in seen and not path.endswith((".minisig", ".sig"))
        seen.add(path)
        return replace(reply, body=b"", length=len(reply.body)) if lost else reply

    async with serving(room.files, loses) as lossy:
        found = await fetched(tmp_path, room, ONE, lossy)

    assert found.ok
    assert {word for _, word in reasons(found, lossy)} == {"failed"}


async def test_a_mirror_that_is_not_there_is_asked_twice_at_most(tmp_path: Path):
    room = newsroom()

    async with serving(room.files, lambda *_: liars.Reply(b"", 500)) as broken:
        found = await fetched(tmp_path, room, ONE, broken)

    assert found.verdict == "unreachable"
    assert {broken.asked.count(path) for path in broken.asked} == {2}
    assert reasons(found, broken) == [("index", "failed"), ("article", "failed")]


async def test_signatures_for_other_tools_are_worth_no_waiting(tmp_path: Path):
    room = newsroom()
    hangs = liars.only_for(lambda path: path.endswith((".minisig", ".sig")), liars.hangs)

    async with serving(room.files, hangs) as one:
        web = Web([one.host], limit_s=0.5)
        found = await fetched(tmp_path, room, THREE, one, web=web)

    assert found.ok
    assert sum(path.endswith((".minisig", ".sig")) for path in one.asked) == 2


async def test_a_run_ends_with_its_time(tmp_path: Path):
    room = newsroom()

    with black_hole() as a, black_hole() as b:
        start = time.monotonic()
        found = await fetched(tmp_path, room, ONE, a, b, total_s=0.3)

    assert found.verdict == "unreachable"
    assert time.monotonic() - start < 5


async def test_a_run_ends_with_what_it_may_take_in(tmp_path: Path):
    room = newsroom()

    async with serving(room.files) as good:
        web = Web([good.host], left=2_000)
        found = await fetched(tmp_path, room, THREE, good, web=web)

    assert not found.ok
    assert any("more came than one run may take in" in each.detail for each in found.refused)


async def test_a_mirror_that_sends_more_than_an_answer_may_have_is_asked_for_it_once(
    tmp_path: Path,
):
    """It packs nothing at all, so a decoder never has too much."""
    nothing, room = b"\0\0\0\xff\xff" * 12_000, newsroom()
    reply = liars.Reply(nothing, headers=("Content-Encoding: deflate",), endless=True)

    async with serving(room.files, lambda *_: reply) as liar, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, liar, good)
        liar.asked.clear()
        web = Web([liar.host])
        alone = await fetched(tmp_path, room, ONE, liar, web=web)

    assert found.ok
    assert reasons(found, liar)[0] == ("index", "failed")
    assert found.refused[0].detail.endswith("index.tlog-proof: more came than an answer may have")
    assert alone.verdict == "unreachable"
    assert len(liar.asked) == len(set(liar.asked)) == 3
    assert MAX_TAKEN - web.left < 3 * (BESIDE + (1 << 20))


async def test_one_mirror_alone_is_held_against_those_that_its_own_list_names(tmp_path: Path):
    """It could show what is true and old, and nobody would know."""
    room = Listing()
    async with serving(room.files) as good:
        room.mirrors = (Listed(good.url, "https", NOW),)
        room.publish({ONE: "one"}, time=NOW - 60)
        late = dict(room.files)
        room.publish({ONE: "one, corrected"}, time=NOW)
        async with serving(late) as old:
            web = Web([old.host, good.host])
            found = await fetched(tmp_path, room, ONE, old, web=web)

    assert (found.rev, found.status, found.index.mirror) == (2, "current", good.url)
    assert ("index", "behind") in reasons(found, old)


async def test_each_newer_list_that_a_run_meets_brings_the_mirrors_of_the_next(tmp_path: Path):
    """The first mirror is old; one of its list is newer, and one of that list is newer still."""
    room, chain = Listing(), dict[str, liars.Files]()
    memory = tmp_path / "memory"

    def shows(name: str) -> liars.Lie:
        return lambda _, path: liars.honest(chain[name], path)

    async with (
        serving({}, shows("old")) as old,
        serving({}, shows("newer")) as newer,
        serving({}, shows("newest")) as newest,
        serving({}) as empty,
    ):
        lists = {"old": newer, "newer": newest, "newest": empty}
        for number, (name, listed) in enumerate(lists.items()):
            room.mirrors = (Listed(listed.url, "https", NOW),)
            room.publish({ONE: f"state {number}"}, time=NOW - 60 + number)
            chain[name] = dict(room.files)
        web = Web([each.host for each in (old, newer, newest, empty)])
        found = await fetched(tmp_path, room, ONE, old, web=web, remember=memory)

    assert (found.rev, found.status, found.index.mirror) == (3, "current", newest.url)
    assert reasons(found, old) == reasons(found, newer) == [("index", "behind")]
    kept = json.loads((tmp_path / "memory.mirrors").read_bytes())["mirrors"]
    assert INDEX_PROOF in empty.asked
    assert kept == [[empty.url, 0]]


async def test_a_newer_list_that_one_of_two_has_is_held_against_what_it_names(tmp_path: Path):
    room = Listing()
    async with serving(room.files) as newest:
        room.publish({ONE: "one"}, time=NOW - 60)
        first = dict(room.files)
        room.mirrors = (Listed(newest.url, "https", NOW),)
        room.publish({ONE: "one, edited"}, time=NOW - 30)
        second = dict(room.files)
        room.publish({ONE: "one, corrected"}, time=NOW)
        async with serving(first) as old, serving(second) as newer:
            web = Web([each.host for each in (old, newer, newest)])
            found = await fetched(tmp_path, room, ONE, old, newer, web=web)

    assert (found.rev, found.index.mirror) == (3, newest.url)


async def test_a_chain_of_mirrors_each_a_little_newer_takes_no_run_for_itself(tmp_path: Path):
    room, chain = Listing(), dict[str, liars.Files]()

    def shows(name: str) -> liars.Lie:
        return lambda _, path: liars.honest(chain[name], path)

    async with AsyncExitStack() as stack:
        names = [f"{n}" for n in range(LISTS + 3)]
        served = [await stack.enter_async_context(serving({}, shows(name))) for name in names]
        for number, name in enumerate(names):
            following = served[number + 1 : number + 2]
            room.mirrors = tuple(Listed(each.url, "https", NOW) for each in following)
            room.publish({ONE: f"state {number}"}, time=NOW - 60 + number)
            chain[name] = dict(room.files)
        web = Web([each.host for each in served])
        found = await fetched(tmp_path, room, ONE, served[0], web=web)

    assert (found.ok, found.rev, found.index.mirror) == (True, LISTS, served[LISTS - 1].url)
    assert not served[LISTS + 1].asked


async def test_nothing_but_the_named_mirrors_is_asked_where_that_is_said(tmp_path: Path):
    async with serving({}) as empty:
        room = listing(empty.url)
        async with serving(room.files) as good:
            hosts = [empty.host, good.host]
            await fetched(tmp_path, room, ONE, good, web=Web(hosts), only_via=True)
            unasked = not empty.asked
            await fetched(tmp_path, room, f"{ONE}/none", good, web=Web(hosts))

    assert unasked
    assert empty.asked


@pytest.mark.parametrize("url", ["http://mirror.example/", "http://" + "a" * 56 + ".onion/"])
async def test_a_listed_mirror_that_all_on_the_way_could_read_is_not_asked(
    tmp_path: Path, url: str
):
    """Nor an onion without a proxy: whoever looks its name up hears what is read."""
    room = listing(url)

    async with serving(without(room, "a/")) as good:
        found = await fetched(tmp_path, room, ONE, good)

    assert found.verdict == "missing"
    assert not reasons(found, url)


async def test_listed_mirrors_of_other_kinds_and_forms_are_left_to_others(tmp_path: Path):
    odd = [
        "ipns://k51/",
        "",
        "https://",
        "http://[1/",
        "https://u:p@m.example/",
        "https://m.\ud7ff/?",
    ]
    room = listing(*odd)

    async with serving(without(room, "a/")) as good:
        found = await fetched(tmp_path, room, ONE, good)

    assert found.index is not None
    assert {each.mirror for each in found.refused} == {good.url}


async def test_an_onion_is_asked_through_the_proxy_which_looks_its_name_up(tmp_path: Path):
    onion = "a" * 56 + ".onion"
    room = newsroom()

    async with serving(room.files) as good, socks5({(onion, 80): good.host}) as proxy:
        web = Web(proxy=f"socks5h://{proxy.address}")
        found = await fetched(tmp_path, room, ONE, f"http://{onion}/", web=web)

    assert found.ok
    assert found.mirror == f"http://{onion}/"
    assert set(proxy.targets) == {(onion, 80)}


async def test_an_onion_that_is_named_needs_a_proxy(tmp_path: Path):
    onion = f"http://{'a' * 56}.onion/"

    found = await fetched(tmp_path, newsroom(), ONE, onion, web=Web())

    assert "over a proxy only" in found.refused[0].detail


# What belongs to an article.


async def test_parts_come_from_whoever_has_them(tmp_path: Path):
    room = newsroom()
    part = LONG.replace(".html", "-2.html")
    altered = room.files | {part: b"part 2?!"}

    async with (
        serving(without(room, LONG.replace(".html", "-"))) as one,
        serving(altered) as two,
        serving(room.files) as good,
    ):
        found = await fetched(tmp_path, room, THREE, one, two, good)

    assert found.ok
    assert found.files[part] == PARTS[0]
    assert (part, "missing") in reasons(found, one)
    assert (part, "tampered") in reasons(found, two)


async def test_an_article_whose_part_nobody_has_is_incomplete(tmp_path: Path):
    room = newsroom()
    part = LONG.replace(".html", "-3.html")

    async with serving(without(room, part)) as one:
        found = await fetched(tmp_path, room, THREE, one)

    assert (found.verdict, found.lacks, found.ok) == ("incomplete", (part,), False)


async def test_an_article_that_its_newsroom_signed_and_no_reader_can_put_together_is_malformed(
    tmp_path: Path,
):
    part = '<li><a href="1-9.html">x</a> <small><bdi dir="ltr">SHA-256 ' + "0" * 64
    room = Newsroom()
    room.publish({ONE: f"one\n</div><nav>{part}</bdi></small></li></nav><div>"}, time=NOW)

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert (found.verdict, found.ok) == ("malformed", False)
    assert not found.files


async def test_a_picture_is_taken_if_it_is_small_and_its_name_is_its_hash(tmp_path: Path):
    good, large, altered = b"picture", bytes(12_001), b"altered"
    names = [hashlib.sha256(each).hexdigest() for each in (good, large, altered)]
    links = "".join(f'<a itemprop="contentUrl" href="{name}.webp">Photo</a>' for name in names)
    room = Newsroom()
    room.publish({ONE: links}, time=NOW)
    paths = [f"{FOLDER}/{name}.webp" for name in names]
    room.files |= dict(zip(paths, (good, large, b"other bytes"), strict=True))

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert found.ok
    assert found.files[paths[0]] == good
    assert found.lacks == tuple(paths[1:])


async def test_a_signature_for_other_tools_that_is_not_of_the_page_is_left_out(tmp_path: Path):
    room = newsroom()
    room.files[NEWEST + ".minisig"] = room.files[LONG + ".minisig"]

    async with serving(room.files) as one:
        found = await fetched(tmp_path, room, ONE, one)

    assert found.ok
    assert NEWEST + ".minisig" not in found.files
    assert NEWEST + ".sig" in found.files


# What is remembered.


async def test_what_was_remembered_is_enough_for_the_next_time(tmp_path: Path):
    """A mirror that was learned of from a signed list is asked when the first is gone."""
    memory = tmp_path / "memory"
    room = Listing()
    async with serving(room.files) as later:
        room.mirrors = (Listed(later.url, "https", NOW),)
        room.publish({ONE: "one"}, time=NOW)
        async with serving(room.files) as first:
            web = Web([first.host, later.host])
            await fetched(tmp_path, room, ONE, first, web=web, remember=memory)
        found = await fetched(tmp_path, room, ONE, web=web, root=None, remember=memory)

    assert found.ok
    assert found.mirror == later.url
    assert found.index.confirmed_by == "history"


async def test_those_that_worked_last_are_asked_first(tmp_path: Path):
    memory = tmp_path / "memory"
    room = Listing()
    async with serving(room.files) as one, serving(room.files) as two, serving(room.files) as three:
        room.mirrors = tuple(Listed(each.url, "https", NOW) for each in (one, two, three))
        room.publish({ONE: "one"}, time=NOW)
        web = Web([each.host for each in (one, two, three)])
        await fetched(tmp_path, room, ONE, three, web=web, only_via=True, remember=memory)
        await fetched(tmp_path, room, ONE, web=web, root=None, remember=memory)

    kept = json.loads((tmp_path / "memory.mirrors").read_bytes())
    assert kept["mirrors"][0] == [three.url, NOW]
    assert not two.asked


async def test_nothing_of_what_was_read_is_remembered(tmp_path: Path):
    memory = tmp_path / "kept" / "memory"
    memory.parent.mkdir()
    room = newsroom()

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good)
        nothing = list(memory.parent.iterdir())
        await fetched(tmp_path, room, ONE, good, remember=memory)

    written = b"".join(file.read_bytes() for file in memory.parent.iterdir())
    assert nothing == []
    assert {file.name for file in memory.parent.iterdir()} == {"memory", "memory.mirrors"}
    assert short_id(article_id(ONE)).encode() not in written
    assert good.host.encode() not in written


def older_site() -> Newsroom:
    room = Newsroom()
    room.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    return room


async def test_what_is_older_than_what_was_remembered_is_behind(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good, remember=memory)
    async with serving(older_site().files) as old:
        found = await fetched(tmp_path, room, ONE, old, remember=memory)

    assert reasons(found, old)[0] == ("index", "behind")
    assert found.status == "status-unknown"


async def test_what_was_taken_back_since_is_a_rollback_and_the_evidence_kept(tmp_path: Path):
    memory = tmp_path / "memory"
    room, old = newsroom(), older_site()
    signed = old.checkpoint(time=NOW)
    old.files |= {CHECKPOINT: signed, INDEX_PROOF: old.proof(2, signed)}

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good, remember=memory)
        async with serving(old.files) as liar:
            found = await fetched(tmp_path, room, ONE, liar, good, remember=memory)

    assert reasons(found, liar) == [("index", "rollback")]
    assert (found.ok, found.mirror) == (True, good.url)
    [kept] = evidence(tmp_path, "rollback")
    assert signed in kept


async def test_another_history_than_the_remembered_one_is_a_fork(tmp_path: Path):
    memory = tmp_path / "memory"
    room, other = newsroom(), Newsroom()
    other.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    other.publish({ONE: "for you alone", THREE: "three"}, time=NOW - 60, withdraw=[TWO])

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good, remember=memory)
        async with serving(other.files) as liar:
            found = await fetched(tmp_path, room, ONE, liar, good, remember=memory)

    assert reasons(found, liar) == [("index", "fork")]
    assert found.mirror == good.url


async def test_a_log_that_grew_is_shown_to_have_grown_by_its_tiles(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()

    async with serving(room.files) as good:
        await fetched(tmp_path, room, ONE, good, remember=memory)
    room.publish({f"{ONE}/{i}": "x" for i in range(5)}, time=NOW)
    async with serving(without(room, "tile/")) as one, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, one, good, remember=memory)

    assert (found.status, found.index.mirror) == ("current", good.url)
    assert ("index document", "missing") in reasons(found, one)


@pytest.mark.parametrize("kept", [b"", b"{}", b'{"v":1,"mirrors":[1]}', b'{"v":2,"mirrors":[]}'])
async def test_a_memory_of_mirrors_that_is_something_else_is_said(tmp_path: Path, kept: bytes):
    (tmp_path / "memory.mirrors").write_bytes(kept)

    with pytest.raises(SettingsError, match="not what --remember wrote"):
        await fetched(tmp_path, newsroom(), ONE, remember=tmp_path / "memory")


@pytest.mark.parametrize("name", ["memory", "memory.mirrors"])
@pytest.mark.parametrize("with_root", [True, False])
async def test_a_memory_that_cannot_be_read_is_named(tmp_path: Path, name: str, with_root: bool):
    room = newsroom()
    (tmp_path / "memory").write_bytes(bytes(Memory(room.root)))
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    root = {} if with_root else {"root": None}

    with pytest.raises(SettingsError, match=f"{name}: not readable"):
        await fetched(tmp_path, room, ONE, remember=tmp_path / "memory", **root)


async def test_a_memory_that_holds_something_else_stands_in_for_no_root(tmp_path: Path):
    (tmp_path / "memory").write_bytes(b"{}")

    with pytest.raises(SettingsError, match="not what --remember wrote"):
        await fetched(tmp_path, newsroom(), ONE, root=None, remember=tmp_path / "memory")


async def test_a_root_that_its_holders_did_not_sign_is_refused(tmp_path: Path):
    root = tmp_path / "other.json"
    root.write_bytes(bytes(Newsroom.sign_root(newsroom().make_root(), "x", "y")))

    with pytest.raises(VerifyError, match="bad-signature"):
        await fetched(tmp_path, newsroom(), ONE, root=root)
