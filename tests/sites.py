"""Sites made straight from the formats, independent of the daemon, for whoever verifies one.

`Newsroom.publish` is honest; hostile sites are made by changing `files`, by signing with another
newsroom's keys, or by the `forge` methods that an honest daemon has no use for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mirror.formats import ed25519, minisig, note, root, sshsig, tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.encoding import encode_time
from mirror.formats.index import FAN_OUT, NEWEST, AnyItem, Index, Item, Node, Ref, VoidItem, levels
from mirror.formats.note import COSIGNATURE, ED25519, Key, Note
from mirror.formats.paths import (
    CHECKPOINT,
    INDEX_PROOF,
    PROOF,
    article_folder,
    bundle_path,
    revision_path,
    short_id,
    tile_path,
)
from mirror.formats.proof import Proof
from mirror.formats.record import HTML, INDEX_ID, JSON, Doc, Record, Void
from mirror.formats.root import Final, Log, Role, Root

NOW = 1_795_363_200  # 2026-11-22T16:00:00Z
DAY = 24 * 3600


def seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def key(name: str, type_: int) -> Key:
    return Key(name, type_, ed25519.public_of(seed(name)))


def article_id(url: str) -> bytes:
    return hashlib.sha256(url.encode()).digest()


def path_of(url: str, rev: int = 1) -> str:
    return revision_path(short_id(article_id(url)), rev)


def page(text: str, rev: int = 1, parts: Sequence[bytes] = ()) -> bytes:
    """Return a page in the shape of the real ones: links to its parts and its own proof below."""
    items = "".join(
        f'<li><a href="{rev}-{number}.html">part {number}</a> <small><bdi dir="ltr">SHA-256 '
        f"{hashlib.sha256(part).hexdigest()}</bdi></small></li>"
        for number, part in enumerate(parts, 2)
    )
    listing = f"\n</div><nav><p></p><ul>{items}</ul></nav>" if parts else "\n</div>"
    footer = f'<footer><a href="{rev}.html.tlog-proof">proof</a></footer>'
    return f"<!doctype html><div>\n{text}{listing}{footer}".encode()


@dataclass
class Newsroom:
    """A newsroom, its secrets (all made from their names), and the files of its site."""

    origin: str = "news.example/log"
    secret: str = ""  # of whoever has other keys under the same names
    cosigners: int = 0
    quorum: int = 0
    signs_files: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    items: list[AnyItem] = field(default_factory=list)
    docs: dict[bytes, tuple[Doc, int]] = field(default_factory=dict)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    index: tuple[Doc, int] | None = None

    def __post_init__(self) -> None:
        self.root = self.sign_root(self.make_root())
        self.files["trust/1.root.json"] = bytes(self.root)

    @property
    def log(self) -> Log:
        o = self.origin
        named = (o, ED25519), (f"{o}/articles", ED25519), (f"{o}/clock", COSIGNATURE)
        keys = [Key(name, type_, ed25519.public_of(self._seed(name))) for name, type_ in named]
        others = tuple(key(f"cosigner-{i}.example", COSIGNATURE) for i in range(self.cosigners))
        return Log(o, *keys, others, self.quorum)

    def _seed(self, name: str) -> bytes:
        return seed(self.secret + name)

    def make_root(self, *, version: int = 1, closed: Sequence[Log] = (), **other: object) -> Root:
        log = self.log
        publics = tuple(ed25519.public_of(seed(f"root-{i}")) for i in range(3))
        made = Root(
            version,
            NOW + 365 * DAY,
            {
                "root": Role(publics, 2),
                "snapshot": Role((log.log.public,), 1),
                "targets": Role((log.articles.public,), 1),
                "timestamp": Role((log.clock.public,), 1),
            },
            (*closed, log),
            ed25519.public_of(seed("minisign")),
            ed25519.public_of(seed("ssh")),
            3 * DAY,
        )
        return replace(made, **other)

    @staticmethod
    def sign_root(unsigned: Root, *names: str) -> Root:
        seeds = [seed(name) for name in names or ("root-0", "root-1")]
        return replace(unsigned, signatures=root.sign(unsigned, seeds))

    # What a daemon does.

    def publish(
        self,
        pages: Mapping[str, str],
        *,
        time: int = NOW,
        withdraw: Sequence[str] = (),
        parts: Mapping[str, Sequence[bytes]] | None = None,
        proofs: bool = True,
        count: int | None = None,
    ) -> None:
        """Publish a round: the text of each address, and the withdrawal of others."""
        new: list[tuple[str | None, bytes]] = []
        for url, text in pages.items():
            path, doc = self._doc(
                url, text, (parts or {}).get(url, ()), time, len(self.leaves) + len(new)
            )
            new.append((path + PROOF, self.seal(doc)))
        for url in withdraw:
            doc, leaf = self.docs[article_id(url)]
            void = Void(doc.id, doc.n, doc.rev, doc.first, time, "legal", leaf)
            self.items[doc.n] = VoidItem(
                short_id(doc.id), doc.n, doc.rev, len(self.leaves) + len(new), "legal"
            )
            new.append((None, self.seal(void)))
        new.append((INDEX_PROOF, self.seal(self._index(time, len(self.leaves) + len(new), count))))
        self.append([leaf for _, leaf in new])
        signed = self.checkpoint(time=time)
        first = len(self.leaves) - len(new)
        for leaf, (path, _) in enumerate(new, first):
            if path and (proofs or path == INDEX_PROOF):
                self.files[path] = self.proof(leaf, signed)
        self.files[CHECKPOINT] = signed

    def _doc(
        self, url: str, text: str, parts: Sequence[bytes], time: int, leaf: int
    ) -> tuple[str, Doc]:
        id_ = article_id(url)
        old = self.docs.get(id_)
        rev, n = (old[0].rev + 1, old[0].n) if old else (1, len(self.items))
        first, prev = (old[0].first, old[1]) if old else (time, None)
        data, path = page(text, rev, parts), path_of(url, rev)
        sha256 = hashlib.sha256(data).digest()
        doc = Doc("doc", id_, n, rev, first, time, HTML, len(data), sha256, prev)
        item = Item(short_id(id_), n, rev, leaf, time, len(data), sha256, f"On {url}", "en", "ltr")
        self.items[n:] = [item, *self.items[n + 1 :]]
        self.docs[id_] = doc, leaf
        self.files |= {path: data, f"{article_folder(short_id(id_))}/index.html": data}
        for number, part in enumerate(parts, 2):
            self.files[revision_path(short_id(id_), rev, part=number)] = part
        if self.signs_files:
            names = [
                path,
                *(revision_path(short_id(id_), rev, part=i + 2) for i in range(len(parts))),
            ]
            for name in names:
                self.sign_file(name, leaf=leaf, time=time)
        return path, doc

    def sign_file(self, path: str, *, leaf: int, time: int) -> None:
        trusted = f"path={path} origin={self.origin} leaf={leaf} time={encode_time(time)}"
        data = self.files[path]
        mini = minisig.sign(seed("minisign"), data, untrusted="x", trusted=trusted)
        self.files |= {f"{path}.minisig": bytes(mini)}
        self.files |= {f"{path}.sig": bytes(sshsig.sign(seed("ssh"), data))}

    def _index(self, time: int, leaf: int, count: int | None) -> Doc:
        document = self.index_document(time)
        data = bytes(replace(document, count=document.count if count is None else count))
        old = self.index
        rev, first, prev = (old[0].rev + 1, old[0].first, old[1]) if old else (1, time, None)
        ref = self._keep(data)
        doc = Doc("index", INDEX_ID, 0, rev, first, time, JSON, ref.length, ref.sha256, prev)
        self.index = doc, leaf
        return doc

    def index_document(self, time: int) -> Index:
        newest = [item for item in reversed(self.items) if isinstance(item, Item)][:NEWEST]
        refs = self._nodes()
        made = (self.origin, self.root.version, "News", "en", time, len(self.items))
        return Index(*made, tuple(newest), refs, ())

    def _nodes(self) -> tuple[Ref, ...]:
        chunks = range(0, len(self.items), FAN_OUT)
        refs = [self._keep(bytes(Node(items=tuple(self.items[i : i + FAN_OUT])))) for i in chunks]
        for _ in range(levels(len(self.items)) - 1):
            chunks = range(0, len(refs), FAN_OUT)
            refs = [self._keep(bytes(Node(nodes=tuple(refs[i : i + FAN_OUT])))) for i in chunks]
        return tuple(refs)

    def _keep(self, data: bytes) -> Ref:
        ref = Ref(len(data), hashlib.sha256(data).digest())
        self.files[ref.path] = data
        return ref

    # What a daemon is made of; a forger has only some of it.

    def seal(self, record: Record | str) -> bytes:
        text = str(record)
        articles = self.log.articles
        return bytes(Note(text, (note.sign(text, articles, self._seed(articles.name)),)))

    def append(self, leaves: Sequence[bytes]) -> None:
        hashes = [tlog.leaf_hash(leaf) for leaf in leaves]
        changed = tlog.append(self.read_tile, len(self.leaves), hashes)
        old = len(self.leaves)
        self.leaves += leaves
        self.tiles |= changed
        for (level, n), tile in changed.items():
            self.files[tile_path(level, n, len(tile) // 32)] = tile
        for start in range(old - old % 256, len(self.leaves), 256):
            some = self.leaves[start : start + 256]
            self.files[bundle_path(start // 256, len(some))] = tlog.encode_bundle(some)

    def read_tile(self, level: int, n: int) -> bytes:
        return self.tiles[level, n]

    def root_at(self, size: int) -> bytes:
        return tlog.range_root(self.read_tile, 0, size)

    def checkpoint(
        self, *, time: int, size: int | None = None, cosigned: int | None = None
    ) -> bytes:
        size = len(self.leaves) if size is None else size
        return self.sign(
            Checkpoint(self.origin, size, self.root_at(size)), time=time, cosigned=cosigned
        )

    def sign(self, point: Checkpoint, *, time: int, cosigned: int | None = None) -> bytes:
        """Sign with the log's key, the clock's, and those of `cosigned` (all) cosigners."""
        text, log = str(point), self.log
        lines = [note.sign(text, log.log, self._seed(self.origin))]
        lines.append(note.cosign(text, log.clock, self._seed(f"{self.origin}/clock"), time=time))
        for each in log.cosigners[: self.cosigners if cosigned is None else cosigned]:
            lines.append(note.cosign(text, each, seed(each.name), time=time))
        return bytes(Note(text, tuple(lines)))

    def proof(self, leaf: int, signed: bytes, size: int | None = None) -> bytes:
        hashes = tlog.inclusion_proof(self.read_tile, leaf, size or len(self.leaves))
        return bytes(Proof(self.leaves[leaf], leaf, tuple(hashes), signed))

    def closed(self, size: int | None = None) -> Log:
        """Return the log as a root names it that closed it at `size` leaves."""
        size = len(self.leaves) if size is None else size
        return replace(self.log, final=Final(size, self.root_at(size)))

    def write(self, folder: Path) -> Path:
        """Write the site below `folder`, the pinned root beside it; return the site's folder."""
        site = folder / "site"
        for path, data in self.files.items():
            file = site / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        (folder / "root.json").write_bytes(bytes(self.root))
        return site
