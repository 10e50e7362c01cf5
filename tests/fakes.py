"""Doubles stricter than the real thing, and what tests make logs and sites with.

`MemoryStore` objects to every broken rule and fails in two ways: failed, and failed but kept.
`flaws` looks at a whole store as a reader with every file before him would.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from mirror import init
from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.render.page import Masthead
from mirror.check.survey import Survey
from mirror.desk import Desk
from mirror.errors import FetchError, FormatError, StoreError, VerifyError
from mirror.formats import tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import FAN_OUT, Index, Node, Ref, levels
from mirror.formats.note import Note
from mirror.formats.paths import (
    CHECKPOINT,
    INDEX_PROOF,
    PROOF,
    article_folder,
    bundle_path,
    check_path,
    is_head,
    revision_path,
    short_id,
    short_of,
    stage,
    tile_path,
)
from mirror.formats.proof import Proof
from mirror.formats.record import Doc, Record, parse
from mirror.formats.root import Root
from mirror.keys import NAMES, Keys
from mirror.poll import Poller
from mirror.signer import Draft, Signer
from mirror.site import Catalogue
from mirror.state import ArticleState, State
from mirror.verify import Trust, article, check_bytes, check_part, checkpoint, parts, proof

ORIGIN = "test.example/news"
NOW = 1_795_000_000  # 2026-11-18; years before 1.root.json of a test expires
NEVER: Callable[[str], bool] = lambda _: False  # noqa: E731


class MemoryStore:
    """A store that records every put and objects to any that breaks the rules.

    Stricter than a disk: what is put is seen at once, and a batch may hold one stage only, so
    an order that is right by luck is an error here.
    """

    def __init__(self, kept: Mapping[str, bytes] | None = None) -> None:
        self.name = "memory"
        self.kept: dict[str, bytes] = dict(kept or {})
        self.order: list[str] = []
        self.deleted: list[str] = []
        self.fails = NEVER
        self.keeps_when_failing = False
        self.flush_fails = False
        self.room: int | None = None
        self._unflushed: set[str] = set()

    async def put(self, path: str, data: bytes) -> None:
        if any(stage(other) != stage(path) for other in self._unflushed):
            raise AssertionError(f"{path} put before {self._unflushed} was flushed")
        fails = self.fails(check_path(path))
        if not fails or self.keeps_when_failing:  # a lost answer, not a lost write
            if not is_head(path) and self.kept.get(path, data) != data:
                raise StoreError(f"{self.name}: {path}: already holds other bytes")
            self.kept[path] = data
            self.order.append(path)
            self._unflushed.add(path)
        if fails:
            self._unflushed.clear()
            raise StoreError(f"{self.name}: {path}: told to fail")

    async def get(self, path: str) -> bytes | None:
        return self.kept.get(check_path(path))

    async def delete(self, path: str) -> None:
        fails = self.fails(check_path(path))
        if not fails or self.keeps_when_failing:
            self.kept.pop(path, None)
            self.deleted.append(path)
        if fails:
            raise StoreError(f"{self.name}: {path}: told to fail")

    async def names(self, folder: str) -> list[str]:
        below = f"{check_path(folder)}/"
        return sorted(p for p in self.kept if p.startswith(below) and "/" not in p[len(below) :])

    async def flush(self) -> None:
        self._unflushed.clear()
        if self.flush_fails:
            raise StoreError(f"{self.name}: told to fail")

    async def reserve(self, size: int) -> None:
        if self.room is not None and size > self.room:
            raise StoreError(f"{self.name}: disk full: {self.room} bytes free, {size} needed")


@dataclass(slots=True)
class Clock:
    """Says `now`; a test moves it. Cycles take the clock itself as their `now`."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


# What tests publish.


def keys(origin: str = ORIGIN, salt: str = "") -> Keys:
    """Return secrets that are the same in every run."""
    seeds = {name: hashlib.sha256(f"{salt}{name}".encode()).digest() for name in NAMES}
    return Keys(origin, seeds)


def root(keys_: Keys) -> Root:
    return init.first_root(keys_, hashlib.sha256(b"root").digest(), now=NOW)


def story(number: int, *, text: str = "", title: str = "") -> Article:
    """Return a small article, number `number` of its newsroom."""
    return Article(
        url=f"https://news.example/{number}",
        title=title or f"Story {number}",
        authors=("Ada Marsh",),
        published="2026-11-16T06:30:00Z",
        lang="en",
        dir="ltr",
        blocks=(f"<p>{text or f'The text of story {number}.'}</p>",),
        partial=False,
    )


def identity(number: int) -> Identity:
    return Identity((f"guid {number}",), hashlib.sha256(b"%d" % number).digest())


def draft(signer: Signer, number: int, *, text: str = "") -> Draft:
    """Return story `number` as new, or as the revision of what the database has."""
    found = signer.state.find(identity(number).keys)
    return Draft(story(number, text=text), identity(number), "https://news.example/feed", found)


def open_signer(folder: Path, *, salt: str = "") -> Signer:
    """Return a signer whose database is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = keys(salt=salt)
    state = State.open(folder / "state.db", origin=ORIGIN)
    return Signer(mine, state, root(mine), Masthead("A newsroom", ORIGIN, ""), "en")


def quiet_desk(signer: Signer, store: MemoryStore) -> Desk:
    """Return a desk with no source: its cycle recovers, refreshes and tidies."""
    poller = Poller((), "en", signer.state, None, None, 1)  # type: ignore[arg-type]
    return Desk(poller, signer, store)


def fill(state: State, articles: int) -> None:
    """Make the database that of a published log of so many articles and one index document.

    Only what a round reads is made: the records are placeholders of a real one's size.
    """
    size = articles + 1
    records = [b"%0600d" % leaf for leaf in range(size)]
    items = [
        ArticleState(
            *(n, id_, short_id(id_), NOW, 1, n, NOW, 4000),
            *(bytes(32), f"Story {n}", "en", "ltr", None, bytes(32), "https://news.example/feed"),
        )
        for n in range(articles)
        for id_ in [hashlib.sha256(b"filled %d" % n).digest()]
    ]
    with state.transaction():
        for each in items:
            state.put_article(each)
        catalogue = Catalogue(articles, lambda a, b: [i.item for i in items[a:b]], state.nodes)
        for level in range(levels(articles)):
            for k, node in catalogue.changed(level, range(articles)):
                state.put_node(level, k, ref_of(bytes(node)))
        state.put_tiles(tlog.append(state.read_tile, 0, list(map(tlog.leaf_hash, records))))
        state.add_leaves(0, records)
        old = state.log()
        tree = tlog.range_root(state.read_tile, 0, size)
        leaf = {"index_leaf": articles, "index_rev": 1, "index_first": NOW}
        new = replace(old, size=size, root=tree, time=NOW, index_ref=f"index/{'0' * 64}.json")
        state.swap(old, replace(new, **leaf))
    with state.transaction():
        state.mark_published(size, now=NOW)


def ref_of(data: bytes) -> Ref:
    return Ref(len(data), hashlib.sha256(data).digest())


# What a log's files must be, computed without anything that is tested.


def log_from_scratch(records: Sequence[bytes]) -> dict[str, bytes]:
    """Return all bundles and tiles, the last ones partial, of a log with these records."""
    files = {}
    for n in range(0, len(records), 256):
        part = records[n : n + 256]
        data = b"".join(len(each).to_bytes(2, "big") + each for each in part)
        files[bundle_path(n // 256, len(part))] = data
    level, hashes = 0, [hashlib.sha256(b"\0" + each).digest() for each in records]
    while hashes:
        for n in range(0, len(hashes), 256):
            part = hashes[n : n + 256]
            files[tile_path(level, n // 256, len(part))] = b"".join(part)
        full = len(hashes) // 256
        hashes = [_top(hashes[n * 256 : (n + 1) * 256]) for n in range(full)]
        level += 1
    return files


def root_from_scratch(records: Sequence[bytes]) -> bytes:
    return _top([hashlib.sha256(b"\0" + each).digest() for each in records])


def _top(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _top(hashes[:half]) + _top(hashes[half:])).digest()


def catalogue_from_scratch(items: Sequence[object]) -> tuple[dict[str, bytes], tuple[Ref, ...]]:
    """Return all nodes by their path, and the top level's references."""
    files: dict[str, bytes] = {}

    def keep(node: Node) -> Ref:
        ref = ref_of(bytes(node))
        files[ref.path] = bytes(node)
        return ref

    starts = range(0, len(items), FAN_OUT)
    refs = [keep(Node(items=tuple(items[at : at + FAN_OUT]))) for at in starts]
    while len(refs) > FAN_OUT:
        starts = range(0, len(refs), FAN_OUT)
        refs = [keep(Node(nodes=tuple(refs[at : at + FAN_OUT]))) for at in starts]
    return files, tuple(refs)


# A look at a whole store. What was parsed once is kept: the same store is looked at often.

_record: Callable[[bytes], Record] = lru_cache(8192)(lambda leaf: parse(Note.parse(leaf).text))
_node: Callable[[bytes], Node] = lru_cache(512)(Node.parse)


@dataclass(slots=True)
class _Look:
    files: Mapping[str, bytes]
    trust: Trust
    flaws: list[str] = field(default_factory=list)

    def has(self, path: str, expected: bytes | None = None) -> bytes:
        data = self.files.get(path)
        if data is None:
            self.flaws.append(f"{path} is missing")
        elif expected is not None and data != expected:
            self.flaws.append(f"{path} holds other bytes")
        return data or b""


def flaws(
    files: Mapping[str, bytes],
    trusted: Root,
    *,
    now: int = NOW,
    changed: Iterable[str] | None = None,
) -> list[str]:
    """Return what is wrong in a store for whoever believes its heads and its proofs.

    Whatever the checkpoint, the newest index proof or any proof file, of those that `changed`
    where that is given, refers to must be there, with its hash. A store without heads has no
    flaw: nobody was promised anything.
    """
    look = _Look(files, Trust(trusted, now))
    try:
        if CHECKPOINT in files:
            checked = checkpoint(files[CHECKPOINT], look.trust)
            _look_at_log(look, checked.checkpoint)
        for path in files if changed is None else {*changed} | {INDEX_PROOF} & files.keys():
            if path == INDEX_PROOF:
                _look_at_index_proof(look)
            elif path.endswith(PROOF) and path in files:
                _look_at_article(look, path.removesuffix(PROOF))
    except (VerifyError, FormatError) as e:
        look.flaws.append(str(e))
    return look.flaws


def _look_at_log(look: _Look, point: Checkpoint) -> None:
    records: list[bytes] = []
    for n in range(-(-point.size // 256)):
        width = min(256, point.size - n * 256)
        records += tlog.decode_bundle(look.has(bundle_path(n, width)))
    if len(records) != point.size or root_from_scratch(records) != point.root:
        look.flaws.append("the bundles are not the checkpoint's log")
        return
    for path, data in log_from_scratch(records).items():
        look.has(path, data)
    docs = [_record(record) for record in records]
    _look_at_index(look, docs[-1])
    _look_at_docs(look, [doc for doc in docs if isinstance(doc, Doc) and doc.t == "doc"])


def _look_at_docs(look: _Look, docs: Sequence[Doc]) -> None:
    newest: dict[bytes, Doc] = {}
    for doc in docs:
        newest[doc.id] = doc
        path = revision_path(short_id(doc.id), doc.rev)
        check_bytes(look.has(path), doc)
        for suffix in (".minisig", ".sig", PROOF):
            look.has(path + suffix)
    for doc in newest.values():
        # Written before the checkpoint: a newer revision than the log's newest is no flaw.
        short = short_id(doc.id)
        newest_pages = [look.files.get(revision_path(short, doc.rev + more)) for more in (0, 1)]
        if look.files.get(f"{article_folder(short)}/index.html", b"") not in newest_pages:
            look.flaws.append(f"{article_folder(short)}/index.html is not revision {doc.rev}")


def _look_at_index_proof(look: _Look) -> None:
    data = look.files[INDEX_PROOF]
    proven = proof(data, look.trust)
    if look.files.get(CHECKPOINT) != Proof.parse(data).checkpoint:
        _look_at_log(look, proven.checked.checkpoint)
    _look_at_index(look, proven.record)


def _look_at_index(look: _Look, doc: Record) -> None:
    if not isinstance(doc, Doc) or doc.t != "index":
        look.flaws.append("the last leaf is no index")
        return
    ref = Ref(doc.length, doc.sha256)
    found = Index.parse(look.has(ref.path))
    check_bytes(look.files[ref.path], ref)
    refs: Iterable[Ref] = found.catalogue
    while refs:
        nodes = [_node(look.has(each.path)) for each in refs]
        refs = [below for node in nodes for below in node.nodes]


def _look_at_article(look: _Look, path: str) -> None:
    page = look.has(path)
    believed = article(page, look.files[path + PROOF], look.trust, wanted=short_of(path))
    for number, sha256 in enumerate(parts(page, believed.doc.rev), 2):
        check_part(look.has(f"{path.removesuffix('.html')}-{number}.html"), sha256)


@dataclass(frozen=True, slots=True)
class MemoryPlace:
    """A store's files as `mirror.check.survey` looks at them."""

    files: Mapping[str, bytes]
    name: str = "memory"

    async def read(self, path: str, max_bytes: int) -> bytes:
        if path not in self.files:
            raise FetchError(f"{path}: not there")
        return self.files[path][: max_bytes + 1]

    async def read_some(self, wanted: Mapping[str, int]) -> Mapping[str, bytes | FetchError]:
        return {
            path: self.files[path] if path in self.files else FetchError(f"{path}: not there")
            for path in wanted
        }


async def audited(files: Mapping[str, bytes], trusted: Root, *, now: int = NOW) -> list[str]:
    """Return every verdict but `valid` of the real verifier's look at a whole site."""
    survey = Survey(MemoryPlace(files), Trust(trusted, now))
    await survey.look()
    found = survey.articles + survey.others
    wrong = [f"{each.subject}: {each.verdict} {each.detail}" for each in found]
    return [line for line, each in zip(wrong, found, strict=True) if each.verdict != "valid"]


def records_of(signer: Signer) -> list[bytes]:
    """Return all leaves of the log."""
    return signer.state.records(0, signer.state.log().size)


def docs_of(signer: Signer) -> list[Doc]:
    """Return what all leaves say."""
    found = [parse(Note.parse(record).text) for record in records_of(signer)]
    return [doc for doc in found if isinstance(doc, Doc)]


def embedded(data: bytes) -> Checkpoint:
    """Return the checkpoint in a proof file."""
    return Checkpoint.parse(Note.parse(Proof.parse(data).checkpoint).text)
