"""Lying mirrors before a reader: each is refused with its reason, and the next mirror wins."""

import hashlib
from pathlib import Path

import liars
import pytest
from liars import Files, Lie, serving
from readers import ONE, THREE, TWO, article_of, fetched, newsroom, reasons

from mirror.formats.paths import CHECKPOINT, INDEX_PROOF
from mirror.obtain import Web
from tests.sites import DAY, NOW, Newsroom, path_of


def forged() -> Files:
    return newsroom(secret="the forger's").files


def another_newsrooms() -> Files:
    return newsroom(origin="other.example/log").files


def older() -> Files:
    """Return the site as it was before the last round."""
    room = Newsroom()
    room.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    return room.files


def frozen() -> Files:
    """Return the site with a word of its clock that is four days old."""
    room = newsroom()
    signed = room.checkpoint(time=NOW - 4 * DAY)
    return room.files | {CHECKPOINT: signed, INDEX_PROOF: room.proof(6, signed)}


def only_in(ending: str, lie: Lie) -> Lie:
    return liars.only_for(lambda path: path.startswith("a/") and path.endswith(ending), lie)


LIES: dict[str, tuple[Lie, tuple[str, str]]] = {
    "another's bytes in a page": (liars.tampers, ("page", "tampered")),
    "a script in every page": (liars.adds_a_script, ("page", "tampered")),
    "HTML written anew": (liars.rewrites_html, ("page", "tampered")),
    "a page that is cut": (liars.cuts_pages_short, ("page", "tampered")),
    "another article": (liars.swaps_articles, ("revision 2", "wrong-article")),
    "no articles": (liars.omits_articles, ("revision 2", "missing")),
    "no proofs": (liars.strips_proofs, ("revision 2", "missing")),
    "proofs without signatures": (liars.strips_signatures, ("index", "malformed")),
    "another list": (liars.alters_documents, ("index document", "tampered")),
    "a block page for everything": (liars.shows_a_block_page, ("index", "malformed")),
    "a block page for articles": (
        only_in("", liars.shows_a_block_page),
        ("revision 2", "malformed"),
    ),
    "no answer": (liars.hangs, ("", "silent")),
    "headers and no body": (liars.hangs_after_headers, ("", "silent")),
    "no answer for articles": (only_in("", liars.hangs), ("revision 2", "silent")),
    "a byte a second": (liars.drips, ("", "silent")),
    "a byte a second of pages": (only_in(".html", liars.drips), ("page", "silent")),
    "no end": (liars.never_ends, ("index", "malformed")),
    "no end of pages": (only_in(".html", liars.never_ends), ("page", "tampered")),
    "a gzip bomb": (liars.sends_a_bomb, ("index", "malformed")),
    "a wrong length": (liars.names_a_wrong_length, ("index", "failed")),
    "a redirect to itself": (liars.redirects("/{path}"), ("index", "failed")),
    "a redirect to a private address": (liars.redirects("http://10.0.0.1/"), ("index", "failed")),
    "a redirect to a file": (liars.redirects("file:///etc/passwd"), ("index", "failed")),
    "forged with keys of its own": (liars.in_place_of(forged()), ("index", "unknown-key")),
    "another newsroom's site": (liars.in_place_of(another_newsrooms()), ("index", "unknown-key")),
    "the site of yesterday": (liars.in_place_of(older()), ("index", "behind")),
    "the site frozen": (liars.in_place_of(frozen()), ("index", "stale")),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lying_mirror_is_refused_with_its_reason_and_the_next_one_wins(
    tmp_path: Path, name: str
):
    lie, reason = LIES[name]
    room = newsroom()

    async with serving(room.files, lie) as liar, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, liar, good)

    told = reasons(found, liar)
    assert found.ok
    assert reason in told or (reason[1] == "silent" and told[0][1] == "silent")
    assert article_of(found) == room.files[path_of(ONE, 2)]
    assert (found.status, found.index.size) == ("current", 7)
    assert not reasons(found, good)
    assert found.mirror == good.url
    assert found.index.mirror == good.url or not reason[0].startswith("index")


NINE = {
    "tampering": "another's bytes in a page",
    "substituting": "another article",
    "rolling back": "the site of yesterday",
    "freezing": "the site frozen",
    "omitting": "no articles",
    "stripping proofs": "no proofs",
    "block pages with status 200": "a block page for everything",
    "hanging": "no answer",
    "endless bodies": "no end",
}
"""What a mirror can do to its readers; to one with a memory, rolling back is a `rollback` too."""


def test_none_of_the_nine_lies_is_forgotten():
    assert set(NINE.values()) <= set(LIES)
    assert {LIES[name][1] for name in NINE.values()} == {
        ("page", "tampered"),
        ("revision 2", "wrong-article"),
        ("index", "behind"),
        ("index", "stale"),
        ("revision 2", "missing"),
        ("index", "malformed"),
        ("", "silent"),
    }


FOUND_OUT = [
    name for name, (_, (_, word)) in LIES.items() if word not in ("silent", "behind", "stale")
]


@pytest.mark.parametrize("name", FOUND_OUT)
async def test_a_lying_mirror_alone_gives_nothing_at_all(tmp_path: Path, name: str):
    lie, reason = LIES[name]
    room = newsroom()

    async with serving(room.files, lie) as liar:
        found = await fetched(tmp_path, room, ONE, liar)

    assert not found.ok
    assert not found.files
    assert found.verdict in (reason[1], "unreachable")
    assert reason in reasons(found, liar)


async def test_a_mirror_that_is_only_old_is_shown_with_its_age(tmp_path: Path):
    room = newsroom()

    async with serving(frozen()) as old:
        found = await fetched(tmp_path, room, ONE, old)

    assert found.ok
    assert (found.index.stale, found.index.age_s) == (True, 4 * DAY)


def damages(files: Files, path: str) -> liars.Reply:
    body = liars.honest(files, path).body
    return liars.Reply(body[:-1] + b"!")


def adds_bytes(files: Files, path: str) -> liars.Reply:
    return liars.Reply(liars.honest(files, path).body + bytes(20_000))


def shows_another(files: Files, path: str) -> liars.Reply:
    """Answer with a genuine file of the same kind, which is not the one."""
    others = (each for each in files if each[-5:] == path[-5:] and each != path)
    return liars.Reply(files[next(others)])


BESIDE: dict[str, tuple[Lie, str]] = {
    "damaged": (damages, "tampered"),
    "with more bytes": (adds_bytes, "tampered"),
    "another file": (shows_another, "tampered"),
    "left out": (lambda *_: liars.Reply(b"", 404), "missing"),
    "a block page": (liars.shows_a_block_page, "tampered"),
    "no answer": (liars.hangs, "silent"),
    "no end": (liars.never_ends, "tampered"),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("number", [0, 1], ids=["a part", "a picture"])
async def test_a_lie_about_what_a_page_names_is_refused_and_the_next_mirror_has_it(
    tmp_path: Path, name: str, number: int
):
    (lie, word), room, picture = BESIDE[name], Newsroom(), b"a picture"
    shown = f"{hashlib.sha256(picture).hexdigest()}.webp"
    text = f'<a itemprop="contentUrl" href="{shown}">Photo</a>'
    room.publish({ONE: text}, time=NOW, parts={ONE: [b"part two"]})
    beside = [path_of(ONE).replace(".html", "-2.html"), path_of(ONE).replace("1.html", shown)]
    room.files |= {beside[1]: picture, "another.webp": b"another picture"}
    about = liars.only_for(lambda path: path == beside[number], lie)

    async with serving(room.files, about) as liar, serving(room.files) as good:
        found = await fetched(tmp_path, room, ONE, liar, good)
        alone = await fetched(tmp_path, room, ONE, liar, total_s=2.0)

    assert found.ok
    assert (beside[number], word) in reasons(found, liar)
    assert {path: found.files[path] for path in beside} == {
        path: room.files[path] for path in beside
    }
    assert beside[number] not in alone.files
    assert beside[number] in alone.lacks or alone.verdict == "unreachable"


async def test_a_mirror_that_lied_is_not_asked_again(tmp_path: Path):
    room = newsroom()

    async with serving(room.files, liars.shows_a_block_page) as liar, serving(room.files) as good:
        await fetched(tmp_path, room, THREE, liar, good)

    assert set(liar.asked) <= {INDEX_PROOF, "trust/2.root.json"}


async def test_nothing_is_asked_of_where_a_mirror_redirects_to(tmp_path: Path):
    room = newsroom()

    async with serving(room.files) as elsewhere:
        lie = liars.redirects(f"{elsewhere.url}{{path}}")
        async with serving(room.files, lie) as liar, serving(room.files) as good:
            web = Web([each.host for each in (elsewhere, liar, good)])
            found = await fetched(tmp_path, room, ONE, liar, good, web=web)

    assert ("index", "failed") in reasons(found, liar)
    assert found.mirror == good.url
    assert not elsewhere.asked


@pytest.mark.parametrize("seed", range(20))
async def test_a_mirror_that_garbles_everything_is_believed_in_nothing(tmp_path: Path, seed: int):
    room = newsroom()

    async with serving(room.files, liars.garbles(seed)) as liar, serving(room.files) as good:
        alone = await fetched(tmp_path, room, THREE, liar)
        found = await fetched(tmp_path, room, THREE, liar, good)

    assert all(room.files[path] == data for path, data in alone.files.items())
    assert (found.ok, found.status) == (True, "current")


HARMLESS = {
    "cookies": liars.sets_cookies,
    "no difference of case": liars.ignores_case,
    "garbage for the next root": liars.has_garbage_for_roots,
}


@pytest.mark.parametrize("lie", HARMLESS.values(), ids=HARMLESS)
async def test_what_changes_no_byte_that_is_believed_does_no_harm(tmp_path: Path, lie: Lie):
    room = newsroom()

    async with serving(room.files, lie) as odd:
        found = await fetched(tmp_path, room, ONE, odd)

    assert found.ok
    assert not found.refused
    assert not any("cookie" in head.lower() for head in odd.heads)
