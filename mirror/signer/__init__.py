"""The one writer of the log: compare-and-swap, then sign, then publish.

`append` makes a round durable in the database, with the signed records and all documents, and
only then is a checkpoint signed that commits to it. Everything after `append` is a pure function
of the database, so recovery after a crash is the same code as normal work.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mirror.article.article import Article
from mirror.article.identity import Identity
from mirror.article.picture import files
from mirror.article.render.page import Masthead, render
from mirror.article.render.revisions import Revision
from mirror.article.text import visible_text
from mirror.errors import FormatError, StateError
from mirror.formats import tlog
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.encoding import encode_time
from mirror.formats.index import Ref, cut_title
from mirror.formats.paths import (
    article_folder,
    revision_path,
    short_id,
)
from mirror.formats.record import HTML, INDEX_ID, JSON, Code, Doc, Void
from mirror.formats.root import Root
from mirror.keys import Keys
from mirror.pages.aliases import alias_page
from mirror.pages.frame import Frame
from mirror.recheck.pictures import Pictures
from mirror.signer import listing
from mirror.signer.caution import check_not_behind, check_root
from mirror.signer.document import Imprint, add_document
from mirror.signer.history import newest_doc, revisions
from mirror.site import KEEP_INDEX_S, KEEP_PARTIAL_S, replaced_partials
from mirror.state import ArticleState, LogState, State
from mirror.withdrawal import Withdrawals


@dataclass(frozen=True, slots=True)
class Draft:
    """An article to be published: a new one, or the next revision of `held`."""

    article: Article
    identity: Identity
    source: str
    held: ArticleState | None


@dataclass(frozen=True, slots=True)
class Signer:
    """The keys in use, the log's state, and what the root says about them."""

    keys: Keys
    state: State
    root: Root
    masthead: Masthead
    lang: str

    # Appending.

    def append(self, drafts: Sequence[Draft], *, now: int) -> dict[bytes, str]:
        """Append `drafts` and an index document to the log, durably.

        Returns the drafts that no page can be made of: the reason, by their identity's id.

        Raises:
            StateError: the log moved on meanwhile.
            StoreError: the database's disk is full; nothing was appended.
        """
        refused: dict[bytes, str] = {}
        with self.state.transaction():
            log = self.state.log()
            time = max(now, log.time)  # never decreasing from leaf to leaf
            records: list[bytes] = []
            numbers = []
            for draft in drafts:
                try:
                    record = self._add(draft, leaf=log.size + len(records), time=time)
                except FormatError as e:
                    refused[draft.identity.id] = f"{draft.article.url}: {e}"
                    continue
                records.append(self.keys.seal(record))
                numbers.append(record.n)
            self._finish(log, records, numbers, time=time)
        return refused

    def withdraw(self, some: Iterable[tuple[str, Code]], *, now: int) -> None:
        """Append that articles are withdrawn, and an index document, durably; forget their titles.

        What is withdrawn already, or was never published, is left out. Not done here: what they
        have in the site is removed by `Press.withdraw`, after the site's heads say so.

        Raises:
            StateError: the log moved on meanwhile.
            StoreError: the database's disk is full; nothing was appended.
        """
        with self.state.transaction():
            log = self.state.log()
            time = max(now, log.time)
            records: list[bytes] = []
            numbers = []
            for short, code in some:
                held = self.state.holder(short)
                if held is None or held.void:
                    continue
                leaf = log.size + len(records)
                void = Void(held.id, held.n, held.rev, held.first, time, code, held.leaf)
                gone = replace(held, leaf=leaf, time=time, title="", void=code, chars=0)
                self.state.put_article(gone)
                records.append(self.keys.seal(void))
                numbers.append(held.n)
            self._finish(log, records, numbers, time=time)

    def relist(self, *, now: int) -> bool:
        """Append an index document alone if the mirrors are to be listed anew; return whether.

        Raises:
            StateError: the log moved on meanwhile, or is not published as it stands.
            StoreError: the database's disk is full; nothing was appended.
        """
        with self.state.transaction():
            log = self.state.log()
            if not listing.is_due(self.state.db, now=now):
                return False
            # Never twice the same bytes: the older of the two would be removed in a week.
            index = self._add_index(log, (), time=max(now, log.time + 1))
            self._extend(log, [self.keys.seal(index)], index)
        return True

    def _finish(
        self, log: LogState, records: list[bytes], numbers: Sequence[int], *, time: int
    ) -> None:
        """Append an index document after `records`, if there are any, and all to the log."""
        if records:
            index = self._add_index(log, numbers, time=time)
            self._extend(log, [*records, self.keys.seal(index)], index)

    def _add(self, draft: Draft, *, leaf: int, time: int) -> Doc:
        held, article = draft.held, draft.article
        self._check_gone(held)
        short = held.short if held else self._free_path(draft.identity.id)
        id_ = held.id if held else draft.identity.id
        rev, n = (held.rev + 1, held.n) if held else (1, self.state.count())
        known = revisions(self.state, held) if held else []
        known.append(Revision(rev, encode_time(time)))
        pages = render(article, masthead=self.masthead, rev=rev, id_hex=id_.hex(), revisions=known)
        sha256 = hashlib.sha256(pages[0]).digest()
        first, prev = (held.first, newest_doc(self.state, held)) if held else (time, None)
        shown = cut_title(article.title), article.lang, article.dir
        chars = len(visible_text("\n".join(article.blocks)))
        if held and article.partial:  # or its page's remains would next be taken for the whole
            chars = max(chars, held.chars)
        self.state.put_article(
            ArticleState(
                *(n, id_, short, first, rev, leaf, time, len(pages[0]), sha256, *shown),
                *(None, article.digest, draft.source, chars),
            )
        )
        self._name(draft, n)
        self.state.put_outbox(self._documents(short, rev, pages, leaf=leaf, time=time))
        pictures = files(article.pictures)
        folder = article_folder(short)
        self.state.put_outbox({f"{folder}/{name}": data for name, data in pictures.items()})
        same = held is not None and held.digest == article.digest
        Pictures(self.state.db).note(n, rev, article, draft.identity, same=same, now=time)
        return Doc("doc", id_, n, rev, first, time, HTML, len(pages[0]), sha256, prev)

    def _name(self, draft: Draft, n: int) -> None:
        """Let the draft's names lead to article `n`."""
        held, identity = draft.held, draft.identity
        # A feed that takes over another's article gives it no names by the same act.
        if held is None or held.source == draft.source:
            self.state.add_aliases(n, identity.keys)
            if held and any(key.startswith("link ") for key in identity.keys):
                self.state.put_outbox(self.alias_pages(held, identity))

    def _check_gone(self, held: ArticleState | None) -> None:
        """Refuse what is about to be removed: the removal would take the new revision as well."""
        order = Withdrawals(self.state.db).find(held.short) if held and held.void else None
        if order and order.done is None:
            raise FormatError("its withdrawal is not finished: files of it are still to be removed")

    def _free_path(self, id_: bytes) -> str:
        short = short_id(id_)
        if self.state.holder(short):
            raise FormatError(f"{article_folder(short)}: another article has this path")
        return short

    def _documents(
        self, short: str, rev: int, pages: Sequence[bytes], *, leaf: int, time: int
    ) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for part, page in enumerate(pages, 1):
            path = revision_path(short, rev, part=part)
            files |= {path: page} | self.keys.sign_file(path, page, leaf=leaf, time=time)
        return files

    def _add_index(self, log: LogState, numbers: Sequence[int], *, time: int) -> Doc:
        masthead = self.masthead
        imprint = Imprint(self.keys.origin, self.root.version, masthead.newsroom, self.lang)
        ref = add_document(self.state, imprint, numbers, time=time)
        rev, first = log.index_rev + 1, log.index_first if log.index_rev else time
        prev = log.index_leaf if log.index_rev else None
        return Doc("index", INDEX_ID, 0, rev, first, time, JSON, ref.length, ref.sha256, prev)

    def _extend(self, log: LogState, records: Sequence[bytes], index: Doc) -> None:
        state = self.state
        hashes = [tlog.leaf_hash(record) for record in records]
        try:
            tiles = tlog.append(state.read_tile, log.size, hashes)
        except FormatError as e:
            raise StateError(f"{state.path}: damaged: {e}: restore a backup") from e
        state.put_tiles(tiles)
        state.add_leaves(log.size, records)
        size = log.size + len(records)
        if log.index_ref:
            state.add_garbage([log.index_ref], keep_s=KEEP_INDEX_S)
        state.add_garbage(replaced_partials(old=log.size, new=size), keep_s=KEEP_PARTIAL_S)
        new = replace(
            log,
            size=size,
            root=tlog.range_root(state.read_tile, 0, size),
            time=index.time,
            index_leaf=size - 1,
            index_rev=index.rev,
            index_first=index.first,
            index_ref=Ref(index.length, index.sha256).path,
        )
        state.swap(log, new)

    # Signing what was appended.

    def sign_checkpoint(self, *, now: int) -> None:
        """Sign the log's present state once; it stays the same until the clock is refreshed.

        Only after what it refers to is in the site: a signature can not be taken back.
        """
        log = self.state.log()
        if not log.checkpoint:
            self.cosign(log, time=max(now, log.time, log.cosigned))

    def cosign(self, log: LogState, *, time: int) -> None:
        """Sign the log's state anew, at `time`."""
        checkpoint = Checkpoint(log.origin, log.size, log.root)
        self.state.note_signing(checkpoint)
        signed = self.keys.sign_checkpoint(checkpoint, time=time)
        with self.state.transaction():
            self.state.keep_checkpoint(signed, cosigned=time)

    def alias_pages(self, held: ArticleState, identity: Identity) -> dict[str, bytes]:
        """Return the page that leads from another address of an article to it, if it has one.

        A path that is another article's, or the article's own, is left alone.
        """
        short = short_id(identity.id)
        if short == held.short or self.state.holder(short):
            return {}
        page = alias_page(Frame(self.masthead, self.lang), held.item)
        return {f"{article_folder(short)}/index.html": page}

    def mark_published(self, *, now: int) -> None:
        """Note that all files of the log's state are in the site."""
        with self.state.transaction():
            self.state.mark_published(self.state.log().size, now=now)

    # Whether to sign at all.

    def check_root(self, *, now: int) -> list[str]:
        """Return warnings if the root ends soon.

        Raises:
            SettingsError: it has ended: no verifier would take an index under it.
        """
        return check_root(self.root, now=now)

    def check_not_behind(self, name: str, published: bytes | None) -> None:
        """Return if the checkpoint found in store `name` is one that this database signed.

        Raises:
            StateError: it is not, or it is gone: to go on would sign a fork.
        """
        check_not_behind(self.state, name, published)
