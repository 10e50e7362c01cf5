"""What must be true of a site whatever happened to the process that wrote it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from fault_boundaries import KILLED
from fault_newsroom import Newsroom, Story

from mirror.check import check
from mirror.dag import Dag
from mirror.database import Database
from mirror.formats import tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.folders import update
from mirror.formats.note import Note
from mirror.formats.paths import article_folder, bundle_path, revision_path, short_id
from mirror.formats.proof import Proof
from mirror.formats.record import Doc, parse
from mirror.formats.unixfs import file_link
from mirror.formats.url import article_id

STAGING = ".staging"
FEWER = 4  # write boundaries, of some 370: two polls that end together are remembered together


def assert_cut(told: Mapping[str, Any], at: int, where: str) -> None:
    """Assert that a run was cut before boundary `at`, or had all but so many, and ended before."""
    if told["status"] != KILLED:
        assert told["status"] == 0, (where, told.get("error"))
        assert at - FEWER <= len(told["seen"]) < at, where


def tree(site: Path) -> dict[str, bytes]:
    """Return the SHA-256 of every file, by its path; what was staged is no part of a site."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in site.rglob("*")
        if path.is_file() and STAGING not in path.parts
    }


async def assert_readable(folder: Path, *, now: int, whole: bool = True) -> None:
    """Check the site as a verifier does who was here before: nothing may have been taken back.

    Unless it is `whole`, pages for people may be of the next revision already, and a page may
    be there before its signature: what it is, the comparison with the uncut run shows.
    """
    report = await check(
        str(folder / "site"),
        root=folder / "root" / "1.root.json",
        remember=folder / "memory.json",
        now=lambda: now,
        fetcher=None,
    )

    # The site of before may be old by now; older than what was seen there is another verdict.
    fine = ("valid",) if whole else ("valid", "stale")
    wrong = [each for each in report.articles + report.others if each.verdict not in fine]
    if not whole:
        wrong = [each for each in wrong if not _is_next(folder / "site" / each.subject)]
    assert not wrong, wrong
    assert report.size


def _is_next(page: Path) -> bool:
    """Return whether `page` is unsigned so far, or a copy of a revision that has its proof."""
    if page.name != "index.html":
        return page.suffix == ".html" and not page.with_name(f"{page.name}.minisig").exists()
    return any(
        page.read_bytes() == proof.with_suffix("").read_bytes()
        for proof in page.parent.glob("*.tlog-proof")
    )


def assert_tree_is_the_folders(folder: Path) -> None:
    """Check that the IPFS blocks are those of the files, and that no head is in doubt."""
    site = folder / "site"
    links = {
        path.relative_to(site).as_posix(): file_link(path.read_bytes())
        for path in site.rglob("*")
        if path.is_file() and STAGING not in path.parts and path.suffix not in (".gz", ".br")
    }
    database = Database.beside(folder / "state.db", origin="faults.example")
    try:
        dag = Dag(database, site)
        assert dag.root() == update({}.get, links).root.cid
        assert not dag.doubted()
    finally:
        database.close()


def visible(folder: Path) -> list[Checkpoint]:
    """Return the checkpoints that a reader of the site can meet now."""
    found = []
    head = folder / "site" / "checkpoint"
    if head.exists():
        found.append(_checkpoint(head.read_bytes()))
    for path in (folder / "site").rglob("*.tlog-proof"):
        found.append(_checkpoint(Proof.parse(path.read_bytes()).checkpoint))
    return found


def signed(folder: Path) -> list[Checkpoint]:
    """Return every checkpoint that was ever signed; each had all it commits to in the site."""
    found = []
    for line in (folder / "signed.jsonl").read_text().splitlines():
        said = json.loads(line)
        assert "lacks" not in said, f"signed before they were in the site: {said['lacks']}"
        found.append(_checkpoint(said["note"].encode()))
    return found


def _checkpoint(note: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)


def records(site: Path) -> list[bytes]:
    """Return all leaves of the log that the site shows."""
    size = _checkpoint((site / "checkpoint").read_bytes()).size
    found: list[bytes] = []
    for n in range(-(-size // tlog.WIDTH)):
        width = min(tlog.WIDTH, size - n * tlog.WIDTH)
        found += tlog.decode_bundle((site / bundle_path(n, width)).read_bytes())
    return found


def assert_not_forked(site: Path, checkpoints: Iterable[Checkpoint]) -> None:
    """Check that each checkpoint is of a beginning of the log that the site shows at the end."""
    roots = dict(enumerate(_roots(records(site)), 1))
    for checkpoint in set(checkpoints):
        assert roots.get(checkpoint.size) == checkpoint.root, f"forked at {checkpoint.size}"


def _roots(leaves: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the root after each leaf: RFC 6962, section 2.1, without any tile."""
    peaks: list[bytes] = []
    for number, leaf in enumerate(leaves):
        peaks.append(tlog.leaf_hash(leaf))
        while number & 1:
            right = peaks.pop()
            peaks[-1] = tlog.node_hash(peaks[-1], right)
            number >>= 1
        yield reduce(lambda right, left: tlog.node_hash(left, right), reversed(peaks))


def assert_whole(site: Path, room: Newsroom) -> None:
    """Check that each story is there once, in its newest version, and numbered without gaps."""
    docs = [parse(Note.parse(record).text) for record in records(site)]
    articles = [doc for doc in docs if isinstance(doc, Doc) and doc.t == "doc"]
    by_id = {article_id(room.url(story.number)): story for story in room.stories.values()}

    revisions_of = defaultdict(list)
    for doc in articles:
        revisions_of[doc.id].append(doc)

    assert set(revisions_of) == set(by_id)
    assert [doc.n for doc in articles if doc.rev == 1] == list(range(len(by_id)))
    for id_, story in by_id.items():
        revisions = revisions_of[id_]
        assert [doc.rev for doc in revisions] == list(range(1, len(revisions) + 1))
        assert len(revisions) <= story.version
        assert len({doc.sha256 for doc in revisions}) == len(revisions)
        _assert_page(site, story, revisions[-1])


def _assert_page(site: Path, story: Story, newest: Doc) -> None:
    short = short_id(newest.id)
    page = (site / revision_path(short, newest.rev)).read_bytes()

    assert story.marker in page.decode()
    assert (site / article_folder(short) / "index.html").read_bytes() == page
