"""A file, a folder and an address, as a verifier meets them: honest, half-copied and hostile."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from mirror.check import check
from mirror.check.report import Report
from mirror.errors import SettingsError, VerifyError
from mirror.fetch import Fetcher
from mirror.formats.index import AnyItem, Ref
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, PROOF, article_folder, short_id
from tests.sites import DAY, NOW, Newsroom, article_id, path_of

ONE, TWO, THREE = (f"https://news.example/{i}" for i in (1, 2, 3))
PARTS = (b"part two", b"part three")


def newsroom(**options: object) -> Newsroom:
    """Return a newsroom with an edited article, a withdrawn one, and a long one."""
    room = Newsroom(**{"signs_files": True, **options})
    room.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    room.publish(
        {ONE: "one, edited", THREE: "three"}, time=NOW - 60, withdraw=[TWO], parts={THREE: PARTS}
    )
    return room


async def verify(
    target: Path | str,
    root: Path,
    *,
    remember: Path | None = None,
    now: int = NOW,
    fetcher: Fetcher | None = None,
) -> Report:
    return await check(str(target), root=root, remember=remember, now=lambda: now, fetcher=fetcher)


async def of_site(room: Newsroom, folder: Path, **options: object) -> Report:
    site = room.write(folder)
    return await verify(site, folder / "root.json", **options)


def verdicts(report: Report) -> dict[str, str]:
    """Return what is not valid, by subject."""
    found = report.articles + report.others
    return {each.subject: each.verdict for each in found if each.verdict != "valid"}


def evidence(folder: Path, verdict: str) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob(f"memory.{verdict}-*")]


def document(room: Newsroom) -> str:
    return Ref(room.index[0].length, room.index[0].sha256).path


# Folders.


async def test_every_article_of_an_honest_site_is_valid(tmp_path: Path):
    report = await of_site(newsroom(), tmp_path)

    assert report.ok
    assert report.totals == {"valid": 3}
    assert {each.status for each in report.articles} == {"current", "withdrawn"}
    assert (report.size, report.age_s, report.revisions, report.withdrawn) == (7, 60, 4, 1)
    assert {each.confirmed_by for each in report.articles} == {"signatures"}


async def test_a_report_is_json_and_says_what_it_does_not_show(tmp_path: Path):
    report = await of_site(newsroom(), tmp_path)

    assert json.loads(json.dumps(report.to_json()))["totals"] == {"valid": 3}
    assert any("first visit" in each for each in report.not_shown)


async def test_a_quorum_confirms_all_that_is_in_its_tree(tmp_path: Path):
    report = await of_site(newsroom(cosigners=2, quorum=2), tmp_path)

    assert {each.confirmed_by for each in report.articles} == {"quorum"}


async def test_a_missing_quorum_is_told(tmp_path: Path):
    room = newsroom(cosigners=2, quorum=2)
    lonely = room.checkpoint(time=NOW, cosigned=1)
    room.files |= {CHECKPOINT: lonely, INDEX_PROOF: room.proof(6, lonely)}
    report = await of_site(room, tmp_path)

    assert not report.ok
    assert verdicts(report) == {"index": "stale"}
    assert any("1 of the 2 cosigners" in each for each in report.not_shown)


NEWEST = path_of(ONE, 2)
LONG = path_of(THREE)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (NEWEST, {NEWEST: "missing"}),
        (NEWEST + PROOF, {NEWEST: "missing"}),
        (LONG.replace(".html", "-3.html"), {LONG: "incomplete"}),
        (path_of(ONE), {}),
        (path_of(TWO), {}),
        (NEWEST + ".minisig", {}),
        (CHECKPOINT, {CHECKPOINT: "missing"}),
        ("tile/0/000.p/7", {"tile/0/000.p/7": "missing"}),
        (f"{article_folder(short_id(article_id(ONE)))}/index.html", {}),
    ],
)
async def test_a_half_copied_site_is_incomplete_and_not_an_attack(
    tmp_path: Path, path: str, found: dict[str, str]
):
    room = newsroom()
    del room.files[path]

    report = await of_site(room, tmp_path)

    assert verdicts(report) == found
    assert report.ok == (not found)


@pytest.mark.parametrize(
    ("missing", "statuses"),
    [
        (INDEX_PROOF, {"status-unknown"}),
        ("tile/entries/000.p/7", {"current", "superseded", "withdrawn"}),
    ],
)
async def test_pages_of_a_site_without_its_log_are_verified_by_their_own_proofs(
    tmp_path: Path, missing: str, statuses: set[str]
):
    room = newsroom()
    del room.files[missing]

    report = await of_site(room, tmp_path)

    assert "missing" in verdicts(report).values()
    assert report.totals == {"valid": 4}
    assert {each.status for each in report.articles} == statuses


async def test_an_index_document_that_is_missing_is_said(tmp_path: Path):
    room = newsroom()
    del room.files[document(room)]

    report = await of_site(room, tmp_path)

    assert verdicts(report) == {"index": "missing"}
    assert report.totals == {"valid": 3}


# The eight attacks, each in a folder: substitute, roll back, freeze, omit, strip, forge, replay
# across newsrooms, revoked key.


async def test_a_substituted_page_is_refused(tmp_path: Path):
    room = newsroom()
    room.files[NEWEST] = room.files[NEWEST].replace(b"edited", b"forged")

    assert verdicts(await of_site(room, tmp_path)) == {NEWEST: "tampered"}


async def test_another_article_of_the_newsroom_in_its_place_is_refused(tmp_path: Path):
    room = newsroom()
    for suffix in ("", PROOF):
        room.files[NEWEST + suffix] = room.files[LONG + suffix]

    report = await of_site(room, tmp_path)

    assert verdicts(report)[NEWEST] == "wrong-article"


async def test_an_older_revision_in_place_of_the_newest_is_refused(tmp_path: Path):
    room = newsroom()
    for suffix in ("", PROOF):
        room.files[NEWEST + suffix] = room.files[path_of(ONE) + suffix]

    report = await of_site(room, tmp_path)

    assert verdicts(report)[NEWEST] == "wrong-article"


async def test_a_site_rolled_back_is_refused_and_the_evidence_kept(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    await of_site(room, tmp_path / "now", remember=memory)
    old = Newsroom()
    old.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)
    refreshed = old.checkpoint(time=NOW)
    old.files |= {CHECKPOINT: refreshed, INDEX_PROOF: old.proof(2, refreshed)}

    report = await of_site(old, tmp_path / "old", remember=memory)

    assert verdicts(report)[INDEX_PROOF] == "rollback"
    [kept] = evidence(tmp_path, "rollback")
    assert refreshed in kept
    assert room.files[CHECKPOINT] in kept


async def test_a_frozen_site_is_stale_and_its_articles_stay_valid(tmp_path: Path):
    report = await of_site(newsroom(), tmp_path, now=NOW + 4 * DAY)

    assert verdicts(report) == {"index": "stale"}
    assert report.age_s == 60 + 4 * DAY
    assert report.totals == {"valid": 3}


async def test_a_mirror_that_is_late_is_behind(tmp_path: Path):
    memory = tmp_path / "memory"
    await of_site(newsroom(), tmp_path / "now", remember=memory)
    old = Newsroom()
    old.publish({ONE: "one", TWO: "two"}, time=NOW - 3600)

    report = await of_site(old, tmp_path / "old", remember=memory)

    assert verdicts(report)[INDEX_PROOF] == "behind"


async def test_an_article_left_out_of_the_index_by_a_mirror_is_refused(tmp_path: Path):
    room = newsroom()
    path = document(room)
    room.files[path] = room.files[path].replace(b'"count":3', b'"count":2')

    report = await of_site(room, tmp_path)

    assert verdicts(report) == {"index": "tampered"}


async def test_an_article_left_out_of_the_index_by_the_signer_is_refused(tmp_path: Path):
    room = newsroom()
    room.items.pop()
    room.publish({}, time=NOW)

    report = await of_site(room, tmp_path)

    assert verdicts(report) == {"catalogue": "not-in-log"}


async def test_a_proof_stripped_to_no_signature_is_refused(tmp_path: Path):
    room = newsroom()
    text, _, _ = room.files[NEWEST + PROOF].rpartition(b"\n\n")
    room.files[NEWEST + PROOF] = text + b"\n\n"

    report = await of_site(room, tmp_path)

    assert verdicts(report) == {NEWEST: "malformed"}


async def test_a_forged_site_with_keys_of_the_same_names_is_refused(tmp_path: Path):
    honest = newsroom().write(tmp_path / "honest")
    site = newsroom(secret="the forger's").write(tmp_path / "forged")

    report = await verify(site, honest.parent / "root.json")

    assert verdicts(report)[INDEX_PROOF] == "unknown-key"
    assert report.totals == {"unknown-key": 4}


async def test_another_newsrooms_site_replayed_is_refused(tmp_path: Path):
    honest = newsroom().write(tmp_path / "honest")
    other = newsroom(origin="other.example").write(tmp_path / "other")

    report = await verify(other, honest.parent / "root.json")

    assert verdicts(report)[INDEX_PROOF] == "unknown-key"
    assert report.totals == {"unknown-key": 4}


async def test_what_a_stolen_key_appended_after_the_cut_is_refused(tmp_path: Path):
    room = newsroom()
    successor = Newsroom("news.example/next")
    second = successor.sign_root(successor.make_root(version=2, closed=[room.closed(3)]))
    room.files["trust/2.root.json"] = bytes(second)

    report = await of_site(room, tmp_path)

    assert report.root_version == 2
    assert verdicts(report)[INDEX_PROOF] == "revoked-log"
    assert report.totals == {"valid": 2, "revoked-log": 2}
    assert {NEWEST, LONG} <= verdicts(report).keys()


async def test_a_forked_log_is_seen_in_a_proofs_own_tree(tmp_path: Path):
    room, fork = newsroom(), Newsroom()
    fork.publish({ONE: "one", TWO: "something else"}, time=NOW - 3600)
    path = path_of(ONE)
    room.files[path + PROOF] = fork.files[path + PROOF]

    report = await of_site(room, tmp_path)

    assert verdicts(report) == {path: "fork"}


async def test_a_forked_log_is_seen_against_what_was_remembered(tmp_path: Path):
    memory = tmp_path / "memory"
    before = Newsroom()
    before.publish({ONE: "for you alone", TWO: "two"}, time=NOW - 3600)
    await of_site(before, tmp_path / "before", remember=memory)

    report = await of_site(newsroom(), tmp_path / "now", remember=memory)

    assert verdicts(report) == {"tile/entries": "fork", "index": "not-in-log"}
    assert len(evidence(tmp_path, "fork")) == 1


# The parts of a log.


@pytest.mark.parametrize(
    ("path", "change", "subject", "verdict"),
    [
        ("tile/entries/000.p/7", lambda data: data[:-1], "tile/entries", "malformed"),
        (
            "tile/entries/000.p/7",
            lambda data: data.replace(b'"rev":2', b'"rev":3'),
            "tile/entries",
            "bad-signature",
        ),
        ("tile/entries/000.p/7", lambda _: b"", "tile/entries", "malformed"),
        ("tile/0/000.p/7", lambda data: data[::-1], "tile/0/000.p/7", "tampered"),
        (CHECKPOINT, lambda data: data.replace(b"\n7\n", b"\n8\n"), CHECKPOINT, "bad-signature"),
        (INDEX_PROOF, lambda data: data[1:], INDEX_PROOF, "malformed"),
    ],
)
async def test_an_altered_file_of_the_log_is_refused(
    tmp_path: Path, path: str, change: Callable[[bytes], bytes], subject: str, verdict: str
):
    room = newsroom()
    room.files[path] = change(room.files[path])

    report = await of_site(room, tmp_path)

    assert verdicts(report)[subject] == verdict


async def test_entries_of_another_log_are_not_those_that_were_signed(tmp_path: Path):
    room, other = newsroom(), Newsroom()
    other.publish({f"{ONE}/{i}": "x" for i in range(6)})
    room.files["tile/entries/000.p/7"] = other.files["tile/entries/000.p/7"]

    report = await of_site(room, tmp_path)

    assert verdicts(report)["tile/entries"] == "not-in-log"


async def test_a_checkpoint_may_be_newer_than_the_index_and_not_older(tmp_path: Path):
    room = newsroom()
    proof = room.files[INDEX_PROOF]
    room.publish({ONE: "once more"}, time=NOW)
    newer = {**room.files, INDEX_PROOF: proof}
    older = {**room.files, CHECKPOINT: room.checkpoint(time=NOW, size=7)}

    late = await of_site(replace_files(room, older), tmp_path / "older")
    early = await of_site(replace_files(room, newer), tmp_path / "newer")

    assert verdicts(late) == {CHECKPOINT: "behind"}
    assert CHECKPOINT not in verdicts(early)


def replace_files(room: Newsroom, files: dict[str, bytes]) -> Newsroom:
    room.files = files
    return room


async def test_two_heads_of_one_size_must_agree(tmp_path: Path):
    room, fork = newsroom(), Newsroom()
    fork.publish({f"{ONE}/{i}": "x" for i in range(6)})
    room.files[CHECKPOINT] = fork.files[CHECKPOINT]

    assert verdicts(await of_site(room, tmp_path)) == {CHECKPOINT: "fork"}


async def test_a_catalogue_of_several_levels_is_walked(tmp_path: Path):
    room = Newsroom()
    count = 64 * 64 + 1
    room.publish({f"https://news.example/{i}": "" for i in range(count)}, proofs=False)
    room.files = {path: data for path, data in room.files.items() if not path.startswith("a/")}

    report = await of_site(room, tmp_path)

    assert verdicts(report).keys() == {each.subject for each in report.articles}
    assert report.totals == {"missing": count}
    assert report.unvouched == 0


def dig(folder: Path, depth: int) -> None:
    """Make folders in folders until their path is longer than the system takes."""
    before = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.chdir(before)


async def test_a_folder_without_end_is_looked_through_to_the_end_of_its_paths(tmp_path: Path):
    site = newsroom().write(tmp_path)
    dig(site, 30)

    report = await verify(site, tmp_path / "root.json")

    assert report.ok
    assert report.unvouched


async def test_files_that_nothing_vouches_for_are_counted(tmp_path: Path):
    room = newsroom()
    honest = (await of_site(room, tmp_path / "honest")).unvouched
    room.files |= {"stray.html": b"", f"{NEWEST}.br": b"", "a/stray.txt": b""}

    report = await of_site(room, tmp_path / "more")

    assert report.unvouched == honest + 2
    assert report.ok


async def test_a_pipe_or_a_link_in_a_folder_is_not_read(tmp_path: Path):
    site = newsroom().write(tmp_path)
    (site / NEWEST).unlink()
    os.mkfifo(site / NEWEST)
    (site / LONG).unlink()
    (site / LONG).symlink_to("/dev/zero")

    report = await verify(site, tmp_path / "root.json")

    assert verdicts(report) == {NEWEST: "missing", LONG: "missing"}


# What is remembered.


async def test_what_was_remembered_confirms_by_history(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    await of_site(room, tmp_path / "first", remember=memory)
    room.publish({ONE: "third"}, time=NOW)

    report = await of_site(room, tmp_path / "second", remember=memory)

    assert report.ok
    assert {each.confirmed_by for each in report.articles} == {"history", "signatures"}
    assert not any("first visit" in each for each in report.not_shown)
    assert json.loads(memory.read_bytes())["time"] == NOW


async def test_a_memory_is_never_lowered(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    site = room.write(tmp_path)
    room.files |= {CHECKPOINT: room.checkpoint(time=NOW)}
    room.files |= {INDEX_PROOF: room.proof(6, room.files[CHECKPOINT])}
    await of_site(room, tmp_path / "later", remember=memory)
    before = json.loads(memory.read_bytes())

    await verify(site, tmp_path / "root.json", remember=memory)

    assert json.loads(memory.read_bytes())["time"] == before["time"] == NOW


async def test_a_newer_root_is_remembered_and_the_older_one_no_longer_believed(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    second = room.sign_root(room.make_root(version=2, max_age_s=7 * DAY))
    room.files["trust/2.root.json"] = bytes(second)
    await of_site(room, tmp_path / "first", remember=memory)
    del room.files["trust/2.root.json"]

    report = await of_site(room, tmp_path / "second", remember=memory, now=NOW + 4 * DAY)

    assert report.root_version == 2
    assert report.ok


async def test_a_newer_pinned_root_is_taken_over_the_remembered_one(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    site = room.write(tmp_path)
    await verify(site, tmp_path / "root.json", remember=memory)
    second = room.sign_root(room.make_root(version=2))
    (tmp_path / "root.json").write_bytes(bytes(second))

    report = await verify(site, tmp_path / "root.json", remember=memory)

    assert report.root_version == 2


async def test_a_memory_that_cannot_be_read_or_written_is_an_error_of_settings(tmp_path: Path):
    site = newsroom().write(tmp_path)

    for memory in (tmp_path, tmp_path / "no" / "folder"):
        with pytest.raises(SettingsError):
            await verify(site, tmp_path / "root.json", remember=memory)


async def test_another_root_of_the_same_version_is_a_fork(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    await of_site(room, tmp_path / "first", remember=memory)
    room.root = room.sign_root(room.make_root(max_age_s=1))

    with pytest.raises(VerifyError, match="fork"):
        await of_site(room, tmp_path / "second", remember=memory)


ROOT_ALONE = b'{"v":1,"root":%b,' % json.dumps(bytes(Newsroom().root).decode()).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"v":2,"root":"","checkpoint":"","time":0}',
        b'{"v":1,"root":"{}","checkpoint":"","time":0}',
        b'{"v":1,"root":1,"checkpoint":"","time":0}',
        ROOT_ALONE + b'"checkpoint":"","time":1}',
        ROOT_ALONE + b'"checkpoint":"x","time":1}',
    ],
)
async def test_a_memory_that_is_something_else_is_not_overwritten(tmp_path: Path, data: bytes):
    memory = tmp_path / "memory"
    memory.write_bytes(data)

    with pytest.raises(SettingsError, match="memory"):
        await of_site(newsroom(), tmp_path, remember=memory)
    assert memory.read_bytes() == data


# Files.


async def test_a_page_with_its_proof_is_valid_offline_and_its_status_unknown(tmp_path: Path):
    site = newsroom().write(tmp_path)

    report = await verify(site / NEWEST, tmp_path / "root.json")

    [article] = report.articles
    assert report.ok
    assert (article.verdict, article.status, article.rev) == ("valid", "status-unknown", 2)
    assert any("corrected or withdrawn" in each for each in report.not_shown)


async def test_a_page_carried_out_of_its_site_is_valid_under_another_name(tmp_path: Path):
    room = newsroom()
    room.write(tmp_path)
    (tmp_path / "saved.html").write_bytes(room.files[NEWEST])
    (tmp_path / f"saved.html{PROOF}").write_bytes(room.files[NEWEST + PROOF])

    report = await verify(tmp_path / "saved.html", tmp_path / "root.json")

    assert report.totals == {"valid": 1}


@pytest.mark.parametrize("suffix", [PROOF, ".minisig", ".sig"])
async def test_a_file_beside_a_page_stands_for_the_page(tmp_path: Path, suffix: str):
    site = newsroom().write(tmp_path)

    report = await verify(site / (NEWEST + suffix), tmp_path / "root.json")

    assert [each.subject for each in report.articles] == [NEWEST]
    assert report.ok


async def test_a_part_stands_for_the_whole_article(tmp_path: Path):
    site = newsroom().write(tmp_path)

    report = await verify(site / LONG.replace(".html", "-2.html"), tmp_path / "root.json")

    assert [each.subject for each in report.articles] == [LONG]
    assert report.ok


async def test_the_copy_for_people_is_that_of_the_revision_it_names(tmp_path: Path):
    room = newsroom()
    site = room.write(tmp_path)
    copy = site / f"{article_folder(short_id(article_id(ONE)))}/index.html"

    honest = await verify(copy, tmp_path / "root.json")
    copy.write_bytes(copy.read_bytes().replace(b"edited", b"forged"))
    forged = await verify(copy, tmp_path / "root.json")
    copy.write_bytes(b"nothing")
    empty = await verify(copy, tmp_path / "root.json")

    assert honest.totals == {"valid": 1}
    assert forged.totals == {"tampered": 1}
    assert empty.totals == {"missing": 1}


async def test_an_altered_copy_for_people_is_found_in_a_folder(tmp_path: Path):
    room = newsroom()
    copy = f"{article_folder(short_id(article_id(ONE)))}/index.html"
    room.files[copy] += b" "

    assert verdicts(await of_site(room, tmp_path)) == {copy: "tampered"}


async def test_an_altered_part_is_tampered_with(tmp_path: Path):
    room = newsroom()
    part = LONG.replace(".html", "-2.html")
    room.files[part] += b" "
    site = room.write(tmp_path)

    report = await verify(site / LONG, tmp_path / "root.json")

    assert report.totals == {"tampered": 1}


async def test_an_older_revision_under_the_newest_name_is_the_wrong_one(tmp_path: Path):
    room = newsroom()
    for suffix in ("", PROOF):
        room.files[NEWEST + suffix] = room.files[path_of(ONE) + suffix]
    site = room.write(tmp_path)

    report = await verify(site / NEWEST, tmp_path / "root.json")

    assert report.totals == {"wrong-article": 1}


async def test_a_proof_without_its_page_is_judged_alone(tmp_path: Path):
    site = newsroom().write(tmp_path)
    (site / NEWEST).unlink()

    honest = await verify(site / (NEWEST + PROOF), tmp_path / "root.json")
    (site / (NEWEST + PROOF)).write_bytes(b"nothing")
    forged = await verify(site / (NEWEST + PROOF), tmp_path / "root.json")

    assert honest.totals == {"valid": 1}
    assert "alone" in honest.articles[0].detail
    assert forged.totals == {"malformed": 1}


async def test_a_page_without_its_proof_is_not_valid(tmp_path: Path):
    site = newsroom().write(tmp_path)
    (site / (NEWEST + PROOF)).unlink()

    report = await verify(site / NEWEST, tmp_path / "root.json")

    assert report.totals == {"missing": 1}
    assert not report.ok


@pytest.mark.parametrize(
    ("suffix", "change", "verdict"),
    [
        (".minisig", lambda data: data.replace(b"leaf=3", b"leaf=4"), "wrong-article"),
        (".minisig", lambda data: data[1:], "malformed"),
        (".sig", lambda data: data[1:], "malformed"),
    ],
)
async def test_an_altered_signature_for_other_tools_is_said_and_refuses_no_article(
    tmp_path: Path, suffix: str, change: Callable[[bytes], bytes], verdict: str
):
    room = newsroom()
    room.files[NEWEST + suffix] = change(room.files[NEWEST + suffix])
    site = room.write(tmp_path)

    report = await verify(site / NEWEST, tmp_path / "root.json")

    assert report.totals == {"valid": 1}
    assert verdicts(report) == {NEWEST + suffix: verdict}


@pytest.mark.parametrize("suffix", [".minisig", ".sig"])
async def test_the_signature_of_another_page_is_not_of_these_bytes(tmp_path: Path, suffix: str):
    room = newsroom()
    room.write(tmp_path)
    names = {"x.html": NEWEST, f"x.html{PROOF}": NEWEST + PROOF, f"x.html{suffix}": LONG + suffix}
    for name, path in names.items():
        (tmp_path / name).write_bytes(room.files[path])

    report = await verify(tmp_path / "x.html", tmp_path / "root.json")

    assert verdicts(report) == {f"x.html{suffix}": "bad-signature"}


@pytest.mark.parametrize("target", ["nowhere", "https://mirror.example/"])
async def test_what_is_not_there_or_may_not_be_asked_is_an_error_of_settings(
    tmp_path: Path, target: str
):
    newsroom().write(tmp_path)

    with pytest.raises(SettingsError):
        await verify(target, tmp_path / "root.json")


async def test_a_root_that_is_not_there_is_an_error_of_settings(tmp_path: Path):
    with pytest.raises(SettingsError, match="root"):
        await verify(tmp_path, tmp_path / "none.json")


# Addresses.


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, Fetcher]]:
    """Serve `folder` on loopback; yield its address and a fetcher that may ask it."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        async with Fetcher(allow_hosts=[host]) as fetcher:
            yield f"http://{host}", fetcher
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("path", ["", "/", "/index.html"])
async def test_a_mirror_is_verified_as_its_folder_is(tmp_path: Path, path: str):
    site = newsroom().write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(base + path, tmp_path / "root.json", fetcher=fetcher)

    assert (report.ok, report.kind, report.totals) == (True, "address", {"valid": 3})


async def test_a_mirror_below_a_folder_of_its_host_is_found(tmp_path: Path):
    site = newsroom().write(tmp_path)

    async with served(site.parent) as (base, fetcher):
        report = await verify(f"{base}/site/", tmp_path / "root.json", fetcher=fetcher)

    assert report.ok


@pytest.mark.parametrize("path", ["site", "site/fake-news.html", "%61/b", "?a/"])
async def test_an_address_that_is_neither_a_site_nor_an_article_is_not_answered_by_another(
    tmp_path: Path, path: str
):
    site = newsroom().write(tmp_path)

    async with served(site.parent) as (base, fetcher):
        with pytest.raises(SettingsError, match="that of a whole site ends in /"):
            await verify(f"{base}/{path}", tmp_path / "root.json", fetcher=fetcher)


@pytest.mark.parametrize(
    "name", ["1-2.html", "3-9.html", "1.html.tlog-proof.sig", "1.html.sig.minisig", "1.html.sig"]
)
async def test_a_forged_file_is_not_believed_for_what_lies_beside_it(tmp_path: Path, name: str):
    site = newsroom().write(tmp_path)
    file = (site / path_of(ONE)).with_name(name)
    file.write_bytes(b"FORGED")
    report = await verify(file, tmp_path / "root.json")

    assert not report.ok


async def test_a_lone_forged_page_is_not_believed_for_a_page_whose_name_begins_alike(
    tmp_path: Path,
):
    site = newsroom().write(tmp_path)
    page = tmp_path / "2026-11.html"
    page.write_bytes((site / path_of(ONE)).read_bytes())
    proof = (site / f"{path_of(ONE)}.tlog-proof").read_bytes()
    page.with_name("2026-11.html.tlog-proof").write_bytes(proof)
    forged = page.with_name("2026-11-22.html")
    forged.write_bytes(b"FORGED")
    part = page.with_name("2026-22.html")
    part.write_bytes(b"FORGED")

    assert (await verify(page, tmp_path / "root.json")).ok
    assert not (await verify(forged, tmp_path / "root.json")).ok
    assert not (await verify(part, tmp_path / "root.json")).ok


async def test_a_path_is_not_cut_within_the_name_of_a_folder(tmp_path: Path):
    site = newsroom().write(tmp_path)
    site.rename(tmp_path / "data")
    forged = tmp_path / f"data{path_of(ONE)}"
    forged.parent.mkdir(parents=True)
    forged.write_bytes(b"FORGED")

    assert not (await verify(forged, tmp_path / "root.json")).ok


@pytest.mark.parametrize(
    "path",
    [
        "a/q/q/q/qqqqqqqqqqqqqqqqq/1.html",
        path_of(ONE, 9),
        path_of(ONE).replace(".html", "-2.html"),
        "trust/1.root.json",
        "trust/minisign.pub",
    ],
)
async def test_a_folder_with_a_forged_file_among_genuine_ones_is_not_valid(
    tmp_path: Path, path: str
):
    site = newsroom().write(tmp_path)
    (site / path).parent.mkdir(parents=True, exist_ok=True)
    (site / path).write_bytes(b"FORGED")
    report = await verify(site, tmp_path / "root.json")

    assert not report.ok
    assert path in {each.subject for each in report.others}


@pytest.mark.parametrize(
    ("path", "verdict", "status"),
    [
        (NEWEST, "valid", "current"),
        (path_of(ONE), "valid", "superseded"),
        (path_of(TWO), "valid", "withdrawn"),
        (LONG, "valid", "current"),
        (f"{article_folder(short_id(article_id(ONE)))}/", "valid", "current"),
        (f"{article_folder(short_id(article_id(ONE)))}/index.html", "valid", "current"),
        (path_of(ONE, 9), "missing", None),
    ],
)
async def test_a_mirror_says_what_became_of_an_article(
    tmp_path: Path, path: str, verdict: str, status: str | None
):
    site = newsroom().write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(f"{base}/{path}", tmp_path / "root.json", fetcher=fetcher)

    [article] = report.articles
    assert (article.verdict, article.status) == (verdict, status)
    assert (report.size, report.age_s) == (7, 60)


async def test_an_article_newer_than_the_mirrors_index_has_no_known_status(tmp_path: Path):
    room = newsroom()
    shown = {path: room.files[path] for path in (INDEX_PROOF, CHECKPOINT)}
    room.publish({f"{ONE}/new": "new"}, time=NOW)
    room.files |= shown
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        target = f"{base}/{path_of(f'{ONE}/new')}"
        report = await verify(target, tmp_path / "root.json", fetcher=fetcher)

    assert report.articles[0].status == "status-unknown"


async def test_a_mirror_shows_by_its_tiles_that_the_log_grew(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    await of_site(room, tmp_path / "before", remember=memory)
    room.publish({f"{ONE}/{i}": "x" for i in range(300)}, time=NOW)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        target = f"{base}/{NEWEST}"
        report = await verify(target, tmp_path / "root.json", fetcher=fetcher, remember=memory)

    assert report.ok
    assert json.loads(memory.read_bytes())["time"] == NOW


async def test_an_index_that_contradicts_an_articles_own_proof_is_refused(tmp_path: Path):
    room = newsroom()
    item = room.items[0]
    room.items[0] = replace(item, sha256=bytes(32))
    room.publish({}, time=NOW)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(f"{base}/{NEWEST}", tmp_path / "root.json", fetcher=fetcher)

    assert report.totals == {"not-in-log": 1}


async def test_a_quorum_on_the_index_confirms_the_article_that_it_lists(tmp_path: Path):
    room = newsroom(cosigners=1, quorum=1)
    lonely = room.checkpoint(time=NOW, cosigned=0)
    room.files[NEWEST + PROOF] = room.proof(3, lonely)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        online = await verify(f"{base}/{NEWEST}", tmp_path / "root.json", fetcher=fetcher)
    offline = await verify(site / NEWEST, tmp_path / "root.json")

    assert online.articles[0].confirmed_by == "quorum"
    assert offline.articles[0].confirmed_by == "unconfirmed"


async def test_tiles_that_are_too_short_show_nothing(tmp_path: Path):
    memory = tmp_path / "memory"
    room = newsroom()
    await of_site(room, tmp_path / "before", remember=memory)
    room.publish({}, time=NOW)
    room.files["tile/0/000.p/8"] = bytes(32)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        target = f"{base}/{NEWEST}"
        report = await verify(target, tmp_path / "root.json", fetcher=fetcher, remember=memory)

    assert verdicts(report) == {"index": "malformed"}
    assert report.totals == {"valid": 1}


@pytest.mark.parametrize(
    ("items", "verdict"),
    [
        (lambda items: items[:1], "malformed"),
        (lambda items: [], "malformed"),
        (lambda items: [items[0], items[1], replace(items[2], n=9)], "malformed"),
        (lambda items: [items[0], items[1], replace(items[2], id="a" * 20)], "not-in-log"),
        (lambda items: [items[0], items[1], replace(items[2], rev=2)], "valid"),
    ],
    ids=["too few", "none", "another number", "another article", "a later revision"],
)
async def test_a_catalogue_that_does_not_lead_to_the_article_is_refused(
    tmp_path: Path, items: Callable[[list[AnyItem]], list[AnyItem]], verdict: str
):
    room = newsroom()
    listed = items(room.items)
    room.items = listed
    room.publish({}, time=NOW, count=3)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(f"{base}/{LONG}", tmp_path / "root.json", fetcher=fetcher)

    assert report.totals == {verdict: 1}


async def test_a_node_that_is_a_list_where_none_belongs_is_malformed(tmp_path: Path):
    room = Newsroom()
    room.publish({ONE: "one"}, time=NOW, count=64 * 64 + 1)
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        target = f"{base}/{path_of(ONE)}"
        report = await verify(target, tmp_path / "root.json", fetcher=fetcher)

    assert report.totals == {"malformed": 1}


async def test_a_part_or_a_page_that_a_mirror_does_not_have_is_missing(tmp_path: Path):
    room = newsroom()
    room.files.pop(LONG.replace(".html", "-2.html"))
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(f"{base}/{LONG}", tmp_path / "root.json", fetcher=fetcher)

    assert report.totals == {"incomplete": 1}


async def test_a_mirror_without_an_index_vouches_for_an_article_all_the_same(tmp_path: Path):
    room = newsroom()
    del room.files[INDEX_PROOF]
    site = room.write(tmp_path)

    async with served(site) as (base, fetcher):
        report = await verify(f"{base}/{LONG}", tmp_path / "root.json", fetcher=fetcher)

    assert report.totals == {"valid": 1}
    assert verdicts(report) == {INDEX_PROOF: "missing"}
