"""A look at a mirror as a reader looks: what it shows is fetched and verified, and nothing else.

Five files, and one or two more of an article that has more, each over a fresh connection and one
after the other, because filters count bytes of a connection and connections to a name. Packed, each
is small; a mirror that sends a long article unpacked is seen as readers see it behind such a
filter. A status of 200 means nothing here.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mirror import verify
from mirror.article.render.parts import MAX_RAW_BYTES, compressed_size
from mirror.errors import FetchError, Verdict, VerifyError
from mirror.fetch import Fetcher
from mirror.fetch.words import clean
from mirror.formats import checkpoint, proof
from mirror.formats.index import MAX_BYTES as MAX_INDEX
from mirror.formats.index import Ref
from mirror.formats.paths import CHECKPOINT, INDEX_PROOF, PROOF, article_folder, revision_path
from mirror.mirrors import Outcome, Probe
from mirror.mirrors.failures import Failure, failure_of
from mirror.mirrors.own import Own
from mirror.mirrors.vantage import Vantage, VantageError
from mirror.obtain.gather import MAX_PICTURE, check_picture, pictures
from mirror.state import ArticleState
from mirror.verify import Checked, listing

LOOK_S = 30.0  # all of a look: a mirror that takes longer is none that a reader waits for
FETCH_S = 8.0  # one file, 12 kB if packed: a reader has asked another mirror long before

SLOW_BYTES_S = 8_000
"""A page of 12 kB takes 1.5 s more than its connection: that long does a reader wait before
asking another mirror. Counted is what a small file's exchange does not take as well, and of each
file what it has packed, whether or not it came so. By its unpacked length, a packed page would
seem to come several times as fast as it does; and readers wait for one that is sent unpacked.
"""
SLOW_S = 1.5  # at least that much more: a line's moods are shorter

_MORE = 1 << 16  # than a file has: so one to which something was added is seen to be another
MAX_PAGE = MAX_RAW_BYTES + _MORE
"""No part is longer than `MAX_RAW_BYTES`, unpacked (`fits`), and no body is endless."""
_LEVEL = 6  # of gzip: at 9, a hostile body of that length could hold up all looks for a second


@dataclass(slots=True)
class _Look:
    """One look, in progress."""

    url: str
    fetcher: Callable[[], Fetcher]
    took: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Of each file that came: how many bytes it has packed, in how many seconds it came."""

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Return what is at `path`, over a connection of its own.

        Raises:
            _FailedError: nothing is, and why.
            VantageError: the proxy is at fault.
        """
        begun = time.monotonic()
        try:
            body = await _asked(self.fetcher, self.url + path, max_bytes)
        except FetchError as e:
            failure = failure_of(e)
            if failure is None:
                raise VantageError(str(e)) from e
            raise _FailedError(self._told(path, failure)) from e
        took_s = time.monotonic() - begun
        self.took[path] = min(len(body), compressed_size(body, level=_LEVEL)), took_s
        return body

    def _told(self, path: str, failure: Failure) -> Failure:
        """Return `failure`, or that somebody counts bytes: where smaller files came whole."""
        if failure.outcome == "http-diff" and failure.phase == "http":  # other files may be there
            return replace(failure, detail=f"{path}: {failure.detail}")
        if failure.phase != "body" or not self.took:
            return failure
        passed = max(size for size, _ in self.took.values())
        said = f"{path} stops in its middle, and a file of {passed} bytes, packed, passes"
        return Failure("cut-at-n-bytes", said, "body")

    def slow(self) -> Failure | None:
        """Return that what came was throttled, if it was."""
        least, most = min(self.took.values()), max(self.took.values())
        size, took_s = most[0] - least[0], most[1] - least[1]
        if took_s <= SLOW_S or size >= took_s * SLOW_BYTES_S:
            return None
        return Failure("throttled", f"{size / took_s / 1000:.1f} kB/s, of what files have packed")


class _FailedError(Exception):
    """A look has ended with something other than what was to be seen."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


async def probe(
    url: str,
    vantage: Vantage,
    own: Own,
    *,
    fetcher: Callable[[], Fetcher],
    now: int,
    look_s: float = LOOK_S,
) -> Probe:
    """Return what a look at the mirror `url` from `vantage` shows.

    `fetcher` returns what asks over one fresh connection, from there. Within `look_s` seconds
    something is seen, or the mirror is slow.

    Raises:
        VantageError: the vantage point itself does not work; nothing is known of the mirror.
        StateError: the operator's own database is damaged.
    """
    look = _Look(url, fetcher)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(look_s):
            failure = await _seen(look, own, now)
    except TimeoutError:
        failure = Failure("throttled", f"not done in {look_s:g} s: {len(look.took)} files came")
    took_ms = round((time.monotonic() - begun) * 1000)
    return Probe(url, vantage.name, now, failure.outcome, clean(failure.detail), took_ms)


async def _seen(look: _Look, own: Own, now: int) -> Failure:
    try:
        checked = await _index(look, own, now)
        await _article(look, own, checked, now)
        late = own.lag(checked, now=now)
    except _FailedError as e:
        return e.failure
    except VerifyError as e:
        return Failure("content-tampered", f"{e.verdict}: {e.detail}")
    if late:
        return Failure("stale", late)
    return look.slow() or Failure("ok", f"{checked.checkpoint.size} leaves")


async def _index(look: _Look, own: Own, now: int) -> Checked:
    """Verify the newest index, and return its checkpoint."""
    trust = own.trust(now)
    shown = await look.read(INDEX_PROOF, proof.MAX_BYTES)
    try:
        newest = listing.newest(shown, trust)
        head = await look.read(CHECKPOINT, checkpoint.MAX_BYTES)
        beside = verify.checkpoint(head, trust).checkpoint
    except VerifyError as e:
        raise _FailedError(_disbelieved(e)) from e
    point = newest.checked.checkpoint
    if beside.size == point.size and beside.root != point.root:
        raise VerifyError("fork", f"two trees of {point.size} leaves")
    if beside.size < point.size:  # it is written before the index's proof
        raise _FailedError(Failure("stale", "its checkpoint is older than its index"))
    own.lag(newest.checked, now=now)  # another tree than ours is told before what it leads to
    document = Ref(newest.doc.length, newest.doc.sha256)
    data = await look.read(document.path, MAX_INDEX)
    listing.index(shown, data, trust)
    return newest.checked


def _disbelieved(e: VerifyError) -> Failure:
    """Tell a page that is no file of a site from a file that was forged.

    A block page with status 200 is not even of the form; what has the form and is not signed by
    the newsroom was made by somebody who lies.
    """
    form: Verdict = "malformed"
    outcome: Outcome = "http-diff" if e.verdict == form else "content-tampered"
    words = "another page instead of ours: " if e.verdict == form else ""
    return Failure(outcome, f"{words}{e.verdict}: {e.detail}")


async def _article(look: _Look, own: Own, checked: Checked, now: int) -> None:
    """Verify an article as who has its address does: its first part, and a file that it names."""
    article = own.article(checked.checkpoint.size)
    if article is None:  # nothing that is not withdrawn was published so far
        return
    path = revision_path(article.short, article.rev)
    shown = await look.read(path + PROOF, proof.MAX_BYTES)
    page = await look.read(path, MAX_PAGE)
    doc = verify.article(page, shown, own.trust(now), wanted=article.id).doc
    if doc.sha256 != article.sha256:  # by who withholds a correction
        detail = f"revision {doc.rev} in place of {article.rev}"
        raise VerifyError("wrong-article", detail)
    await _beside(look, own, article, page)


async def _beside(look: _Look, own: Own, article: ArticleState, page: bytes) -> None:
    """Verify a random one of the files that the first part names; of a part, a picture as well.

    What is never looked at can be forged unseen: so any of them may be drawn. Not checked here:
    larger forms of pictures, and signatures for other tools, which no program asks for.
    """
    hashes = enumerate(verify.parts(page, article.rev), 2)
    parts = {revision_path(article.short, article.rev, part=n): each for n, each in hashes}
    drawn = _drawn([*parts, *_pictures(article, page)], own)
    if drawn in parts:
        part = await look.read(drawn, MAX_PAGE)
        verify.check_part(part, parts[drawn])
        drawn = _drawn(_pictures(article, part), own)
    if drawn:
        check_picture(drawn, await look.read(drawn, MAX_PICTURE + _MORE))


def _pictures(article: ArticleState, page: bytes) -> list[str]:
    return [f"{article_folder(article.short)}/{name}" for name in pictures([page])]


def _drawn(paths: Sequence[str], own: Own) -> str:
    return paths[own.choose(len(paths))] if paths else ""


async def _asked(fetcher: Callable[[], Fetcher], url: str, max_bytes: int) -> bytes:
    """Return what is at `url`, over a connection of its own."""
    async with fetcher() as one:
        answer = await one.get(url, max_bytes=max_bytes)
    if answer is None:  # only where a question was conditional, and none is
        raise FetchError(f"{url}: no answer")
    return answer.body
