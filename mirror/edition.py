"""What is published of the log as it stands: a function of the database, and of what is signed.

Called before and after the signing of a checkpoint, and again after a crash: with the same bytes.
Pages and feeds for people also show what older articles say, which only the site still has:
`wanted` names those files, and one that is missing there is an entry without its text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from mirror.article.render.shell import TO_ROOT
from mirror.formats.encoding import encode_time
from mirror.formats.index import NEWEST, Index
from mirror.formats.paths import CHECKPOINT, article_folder, diff_path, revision_path, short_id
from mirror.formats.record import Doc, Void
from mirror.pages import atom
from mirror.pages.archive import Archive, Line, last_written, missing
from mirror.pages.changes import Edition, changes_page
from mirror.pages.check import check_page
from mirror.pages.feeds import JSON_FEED, SUMMARY_FEED, Feed
from mirror.pages.frame import Frame
from mirror.pages.front import front_page
from mirror.pages.gone import gone_page
from mirror.pages.jsonfeed import json_feed, remembered
from mirror.pages.mirrors import mirrors_page
from mirror.pages.story import Story, read_page
from mirror.signer import Signer
from mirror.signer.history import standing
from mirror.site import log_files, parsed, proof_files
from mirror.state import ArticleState, LogState

REFRESH_S = 3600  # how old the clock's word gets while nothing is new
SIGNED = 3  # files a part: itself and two signatures
MORE_PARTS = 2  # an edit that takes away more of a text is not shown but said to be long
NOTHING: Mapping[str, bytes] = MappingProxyType({})


def unsigned_files(signer: Signer) -> dict[str, bytes]:
    """Return what a checkpoint of the appended leaves refers to, and no site has yet."""
    log = signer.state.log()
    files = signer.state.outbox()
    files |= log_files(
        signer.state.read_tile, signer.state.records, old=log.published, new=log.size
    )
    return files


def wanted(signer: Signer, shown: bytes | None) -> set[str]:
    """Return which files of the site `signed_files` asks for; `shown` is its last `feed.json`.

    As a rule they are the other two of a new article's page in the feed of full texts. Where
    `shown` is lost, or older than this edition, they are the thirty newest as well. And a page of
    each 64 of the archive, which a site may not have yet.
    """
    appended = _Appended.of(signer)
    told, feed = remembered(shown or b""), _feed(signer)
    rows = [row for row in signer.state.newest(NEWEST) if feed.key(_story(row)) not in told]
    for each in appended.thirds.values():
        rows += [row for row in each if not row.void]
    # What is newer than the site is in the outbox.
    articles = {_path(row) for row in rows if row.leaf < appended.log.published}
    of_edits = {path for edit in _edits(signer, appended) for path in edit.wanted(signer)}
    return articles | set(last_written(appended.before).values()) | of_edits


def signed_files(signer: Signer, held: Mapping[str, bytes] = NOTHING) -> dict[str, bytes]:
    """Return the proofs, pages for people and heads that belong to the checkpoint.

    `held` is what the site has of what is `wanted`, and its `feed.json`.
    """
    appended = _Appended.of(signer)
    log = appended.log
    files = proof_files(
        *(signer.state.read_tile, signer.state.records(log.published, log.size)),
        first=log.published,
        size=log.size,
        checkpoint=log.checkpoint,
    )
    outbox = signer.state.outbox()
    index = Index.parse(outbox[log.index_ref])
    for doc in appended.docs:
        short = short_id(doc.id)
        files[f"{article_folder(short)}/index.html"] = outbox[revision_path(short, doc.rev)]
    files |= _gone(signer, appended)
    for edit in _edits(signer, appended):
        # After a crash it may be there, made by another edition of this program: it stays.
        page = held.get(edit.path) or edit.page(signer, {**held, **outbox})
        # No log records it, so its signatures are all that tells it from a forged one.
        signed = signer.keys.sign_file(edit.path, page, leaf=edit.row.leaf, time=edit.new.time)
        files |= {edit.path: page, **signed}
    files |= _lists(signer, appended, index, {**held, **outbox})
    return files | {CHECKPOINT: log.checkpoint}


@dataclass(frozen=True, slots=True)
class _Edit:
    """Revision `new` follows `old`, which readers have as well."""

    row: ArticleState
    old: Doc
    new: Doc

    @property
    def path(self) -> str:
        return diff_path(self.row.short, self.new.rev)

    def wanted(self, signer: Signer) -> set[str]:
        """Return what is asked of the site: the older pages, and the page that shows the edit."""
        begins = f"{article_folder(self.row.short)}/{self.new.rev}-"
        parts = sum(path.startswith(begins) for path in signer.state.outbox()) // SIGNED + 1
        some = range(1, parts + MORE_PARTS + 1)
        older = {revision_path(self.row.short, self.old.rev, part=part) for part in some}
        return older | {self.path}

    def page(self, signer: Signer, files: Mapping[str, bytes]) -> bytes:
        """Return the page that shows what was changed; `files` has those of both revisions."""
        row = self.row
        frame = Frame(signer.masthead, row.lang or signer.lang)
        sides = (self._edition(doc, files) for doc in (self.old, self.new))
        return changes_page(frame, *sides, lang=row.lang, dir_=row.dir)

    def _edition(self, doc: Doc, files: Mapping[str, bytes]) -> Edition:
        short = self.row.short
        text = read_page(files.get(revision_path(short, doc.rev), b""))
        paths = (
            revision_path(short, doc.rev, part=part)
            for part in range(1, (text.parts if text else 0) + 1)
        )
        return Edition(doc.rev, doc.time, [files[path] for path in paths if path in files])


def _edits(signer: Signer, appended: "_Appended") -> list[_Edit]:
    """Return what was appended as a revision of what readers have."""
    found = []
    for doc in appended.docs:
        old = next(standing(signer.state, short_id(doc.id), doc.prev), None)
        if old:
            [row] = signer.state.articles(doc.n, doc.n + 1)
            found.append(_Edit(row, old, doc))
    return found


def _gone(signer: Signer, appended: "_Appended") -> dict[str, bytes]:
    """Return the pages in place of what was withdrawn, each in its article's language."""
    files = {}
    for void in appended.voids:
        [row] = signer.state.articles(void.n, void.n + 1)
        frame = Frame(signer.masthead, row.lang or signer.lang)
        files[f"{article_folder(row.short)}/index.html"] = gone_page(frame, void, top=TO_ROOT)
    return files


@dataclass(frozen=True, slots=True)
class _Appended:
    """What was appended since the site was written last; the articles were `before`, now `count`.

    `thirds` are the pages of three that change in the feed of full texts.
    """

    log: LogState
    docs: tuple[Doc, ...]
    voids: tuple[Void, ...]
    numbers: frozenset[int]
    count: int
    before: int
    thirds: Mapping[int, Sequence[ArticleState]]

    @classmethod
    def of(cls, signer: Signer) -> "_Appended":
        state = signer.state
        log, count = state.log(), state.count()
        records = [parsed(leaf) for leaf in state.records(log.published, log.size)]
        docs = tuple(each for each in records if isinstance(each, Doc) and each.t == "doc")
        voids = tuple(each for each in records if isinstance(each, Void))
        numbers = frozenset([doc.n for doc in docs] + [void.n for void in voids])
        before = count - sum(doc.rev == 1 for doc in docs)
        thirds = {
            page: state.articles(page * atom.PAGE, (page + 1) * atom.PAGE)
            for page in sorted(atom.touched(numbers, count=count, before=before))
        }
        return cls(log, docs, voids, numbers, count, before, thirds)


def _lists(
    signer: Signer, appended: _Appended, index: Index, held: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the front page with its signatures, the feeds, the archive and the pages of text."""
    log, feed = appended.log, _feed(signer)
    told = remembered(held.get(JSON_FEED, b""))
    lacking = missing(appended.numbers, before=appended.before, held=held)
    newest = [_story(row, held.get(_path(row), b"")) for row in signer.state.newest(NEWEST)]
    newest = [replace(each, told=each.told or told.get(feed.key(each))) for each in newest]
    front = front_page(feed.frame, newest, issued=index.issued, count=index.count)
    until = f" size={log.size} expires={encode_time(log.time + signer.root.max_age_s)}"
    archive = Archive(feed.frame, _lines(signer), appended.count, appended.before)
    files = {
        "index.html": front,
        "mirrors.html": mirrors_page(feed.frame, index.mirrors),
        "check.html": check_page(feed.frame, signer.root),
        SUMMARY_FEED: atom.summary_feed(feed, newest, issued=index.issued),
        JSON_FEED: json_feed(feed, newest),
        **archive.files(appended.numbers | lacking),
    }
    files |= signer.keys.sign_file(
        "index.html", front, leaf=log.index_leaf, time=log.time, more=until
    )
    for page, rows in appended.thirds.items():
        stories = [_story(row, held.get(_path(row), b"")) for row in rows if not row.void]
        changed = max(row.time for row in rows)
        files |= atom.full_text_files(feed, page, stories, count=appended.count, changed=changed)
    return files


def _feed(signer: Signer) -> Feed:
    [first] = signer.state.articles(0, 1)
    return Feed(Frame(signer.masthead, signer.lang), first.first)


def _lines(signer: Signer) -> Callable[[int, int], Sequence[Line]]:
    return lambda start, end: [
        Line(row.item, row.first) for row in signer.state.articles(start, end)
    ]


def _story(row: ArticleState, page: bytes = b"") -> Story:
    """Return an article with what `page`, its newest revision, says of it."""
    text = read_page(page)
    shown = row.title, row.lang, row.dir
    told = text.told if text else None
    return Story(row.short, row.n, row.rev, row.first, row.time, *shown, told, text)


def _path(row: ArticleState) -> str:
    return revision_path(row.short, row.rev)


def refreshed_files(signer: Signer, *, now: int, shown: bytes | None = None) -> dict[str, bytes]:
    """Return the heads with the clock's newer word, or nothing while it is fresh enough.

    The clock says, when nothing is new, that nothing is: a mirror that shows an
    older word is late or withholds. `shown` is the site's last head, the index's proof:
    where it has an older word than was signed, a crash came between, and it is said again.
    """
    log = signer.state.log()
    if not log.size:
        return {}
    if now - log.cosigned >= REFRESH_S:
        signer.cosign(log, time=now)
        log = signer.state.log()
    elif shown is None or shown.endswith(log.checkpoint):
        return {}
    proof = proof_files(
        *(signer.state.read_tile, signer.state.records(log.index_leaf, log.size)),
        first=log.index_leaf,
        size=log.size,
        checkpoint=log.checkpoint,
    )
    return {CHECKPOINT: log.checkpoint, **proof}
