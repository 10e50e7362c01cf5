"""A site as an outside judge meets it: a folder of files, and the root that was pinned.

`Site` only reads; whoever wrote the folder, the same judges apply. `write_small_site`
makes one through `mirror.formats` alone, with no daemon.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess

from mirror.formats import checkpoint, ed25519, minisig, note, paths, record, sshsig, tlog
from mirror.formats import root as root_
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import Index, Item, Node, Ref
from mirror.formats.note import COSIGNATURE, ED25519, Key, Note
from mirror.formats.proof import Proof
from mirror.formats.record import Doc
from mirror.formats.root import Log, Role, Root
from mirror.formats.url import article_id

Run = Callable[..., CompletedProcess[bytes]]
"""Runs a tool with arguments, `stdin=` its input; the fixture `run` is one."""


@dataclass(frozen=True)
class Site:
    """The files under `folder`, of the newsroom whose newest root is `root`."""

    folder: Path
    root: Root

    @cached_property
    def note(self) -> Note:
        return Note.parse((self.folder / paths.CHECKPOINT).read_bytes())

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.parse(self.note.text)

    @cached_property
    def records(self) -> list[bytes]:
        """Return all leaves, from the entry bundles that the checkpoint's size calls for."""
        size = self.checkpoint.size
        found: list[bytes] = []
        for n in range(-(-size // tlog.WIDTH)):
            path = paths.bundle_path(n, min(tlog.WIDTH, size - n * tlog.WIDTH))
            found += tlog.decode_bundle((self.folder / path).read_bytes())
        return found

    def read_tile(self, level: int, n: int) -> bytes:
        """Return a tile as the checkpoint's size names it; see `tlog.ReadTile`."""
        width = min(tlog.WIDTH, (self.checkpoint.size >> tlog.HEIGHT * level) - n * tlog.WIDTH)
        return (self.folder / paths.tile_path(level, n, width)).read_bytes()

    def signed(self) -> Iterator[Path]:
        """Yield every file that has a `.minisig` and a `.sig` beside it: articles and heads."""
        for beside in sorted(self.folder.rglob("*.minisig")):
            yield beside.with_suffix("")

    def articles(self) -> list[Path]:
        """Return the signed revisions of articles; there is at least one."""
        found = [path for path in self.signed() if path.is_relative_to(self.folder / "a")]
        assert found
        return found

    def sizes(self) -> list[int]:
        """Return sizes of older trees: small ones, those around full tiles, the newest."""
        size = self.checkpoint.size
        near = {
            1,
            2,
            3,
            size // 2,
            size - 1,
            size,
            *(n + d for n in (256, 512) for d in (-1, 0, 1)),
        }
        return sorted(each for each in near if 0 < each <= size)

    def old_root(self, size: int) -> bytes:
        """Return the root of the tree when it had `size` leaves."""
        return tlog.root_of(map(tlog.leaf_hash, self.records[:size]))


ORIGIN = "mirror.example/times"
START = 1_795_364_280  # 2026-11-22T16:18:00Z
LEAVES = 300  # more than one bundle and one tile


def seed(purpose: str) -> bytes:
    return hashlib.sha256(purpose.encode()).digest()


def key(purpose: str, name: str, type_: int) -> Key:
    return Key(name, type_, ed25519.public_of(seed(purpose)))


LOG = Log(
    ORIGIN,
    key("log", ORIGIN, ED25519),
    key("articles", f"{ORIGIN}/articles", ED25519),
    key("clock", f"{ORIGIN}/clock", COSIGNATURE),
    (key("partner", "partner.example/cosigner", COSIGNATURE),),
    1,
)


def make_root() -> Root:
    """Return a root of three people of whom two have signed."""
    people = [f"person {i}" for i in range(3)]
    root = Root(
        version=1,
        expires=START + 365 * 86400,
        roles={
            "root": Role(tuple(ed25519.public_of(seed(each)) for each in people), 2),
            "snapshot": Role((LOG.log.public,), 1),
            "targets": Role((LOG.articles.public,), 1),
            "timestamp": Role((LOG.clock.public,), 1),
        },
        logs=(LOG,),
        minisign=ed25519.public_of(seed("minisign")),
        ssh=ed25519.public_of(seed("ssh")),
        max_age_s=259_200,
        mirrors=("https://mirror.example/",),
    )
    return dataclasses.replace(
        root, signatures=root_.sign(root, [seed(each) for each in people[:2]])
    )


def write_small_site(folder: Path) -> Site:
    """Write a site of three articles whose log has 300 leaves, the last one of an index."""
    root = make_root()
    pages = {f"https://times.example/{i}": f"<p>Article {i} — «текст»\n".encode() for i in range(3)}
    docs = [
        _doc("doc", article_id(url), n, page, record.HTML)
        for n, (url, page) in enumerate(pages.items())
    ]
    filler = [
        _doc("doc", hashlib.sha256(b"filler %d" % n).digest(), n, b"gone", record.HTML)
        for n in range(len(docs), LEAVES - 1)
    ]
    index, documents = _index([*docs, *filler], len(docs))
    leaves = [_signed_record(each) for each in [*docs, *filler, index]]
    files = documents | _tiles(leaves) | _trust(root)
    size, hashes = len(leaves), [tlog.leaf_hash(leaf) for leaf in leaves]
    head = _checkpoint(size, tlog.root_of(hashes))
    tiles = tlog.append(lambda *_: b"", 0, hashes)
    for n, (doc, page) in enumerate(zip(docs, pages.values(), strict=True)):
        path = paths.revision_path(paths.short_id(doc.id), doc.rev)
        files |= _article(path, page, n)
        files[path + paths.PROOF] = _proof(tiles, leaves, n, head)
    files[paths.CHECKPOINT] = head
    files[paths.INDEX_PROOF] = _proof(tiles, leaves, size - 1, head)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return Site(folder, root)


def _doc(t: str, id_: bytes, n: int, data: bytes, type_: str) -> Doc:
    time = START + n
    return Doc(t, id_, n, 1, time, time, type_, len(data), hashlib.sha256(data).digest())


def _signed_record(each: Doc) -> bytes:
    return bytes(Note(str(each), (note.sign(str(each), LOG.articles, seed("articles")),)))


def _index(docs: list[Doc], shown: int) -> tuple[Doc, dict[str, bytes]]:
    items = [
        Item(
            paths.short_id(doc.id),
            n,
            1,
            n,
            doc.time,
            doc.length,
            doc.sha256,
            f"Title {n}",
            "ru",
            "ltr",
        )
        for n, doc in enumerate(docs)
    ]
    nodes = [bytes(Node(items=tuple(items[at : at + 64]))) for at in range(0, len(items), 64)]
    refs = tuple(Ref(len(node), hashlib.sha256(node).digest()) for node in nodes)
    newest = tuple(reversed(items[-30:]))
    issued = START + len(docs)
    document = bytes(Index(ORIGIN, 1, "The Times", "en", issued, len(docs), newest, refs, ()))
    leaf = _doc("index", record.INDEX_ID, 0, document, record.JSON)
    leaf = dataclasses.replace(leaf, first=issued, time=issued)
    files = {ref.path: node for ref, node in zip(refs, nodes, strict=True)}
    return leaf, files | {f"index/{leaf.sha256.hex()}.json": document}


def _tiles(leaves: list[bytes]) -> dict[str, bytes]:
    tiles = tlog.append(lambda *_: b"", 0, [tlog.leaf_hash(leaf) for leaf in leaves])
    files = {paths.tile_path(*at, len(tlog.hashes(tile))): tile for at, tile in tiles.items()}
    for n in range(-(-len(leaves) // tlog.WIDTH)):
        bundle = leaves[n * tlog.WIDTH : (n + 1) * tlog.WIDTH]
        files[paths.bundle_path(n, len(bundle))] = tlog.encode_bundle(bundle)
    return files


def _checkpoint(size: int, tree_root: bytes) -> bytes:
    text = str(Checkpoint(ORIGIN, size, tree_root))
    lines = (
        note.sign(text, LOG.log, seed("log")),
        note.cosign(text, LOG.clock, seed("clock"), time=START + 400),
        note.cosign(text, LOG.cosigners[0], seed("partner"), time=START + 410),
    )
    data = bytes(Note(text, lines))
    assert len(data) <= checkpoint.MAX_BYTES
    return data


def _proof(tiles: dict, leaves: list[bytes], leaf: int, head: bytes) -> bytes:
    hashes = tlog.inclusion_proof(lambda level, n: tiles[level, n], leaf, len(leaves))
    return bytes(Proof(leaves[leaf], leaf, tuple(hashes), head))


def _article(path: str, page: bytes, leaf: int) -> dict[str, bytes]:
    trusted = f"path={path} origin={ORIGIN} leaf={leaf} time=2026-11-22T16:18:00Z"
    mini = minisig.sign(seed("minisign"), page, untrusted=f"signature of {ORIGIN}", trusted=trusted)
    return {
        path: page,
        f"{path}.minisig": bytes(mini),
        f"{path}.sig": bytes(sshsig.sign(seed("ssh"), page)),
    }


def _trust(root: Root) -> dict[str, bytes]:
    return {
        "trust/1.root.json": bytes(root),
        "trust/policy": root_.policy(LOG),
        "trust/minisign.pub": minisig.public_file(root.minisign, origin=ORIGIN),
        "trust/allowed_signers": sshsig.allowed_signers(root.ssh, origin=ORIGIN),
        "trust/log.vkey": f"{LOG.log}\n".encode(),
    }
