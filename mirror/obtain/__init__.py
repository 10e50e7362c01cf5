"""A reader: one article from whichever mirror has it, verified, with the newest index of all.

Formats README, section 8: roots and index first (R, I), of two mirrors at least, so that one that
withholds what is new is found out; then the article (P, A), from the first that shows it.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from yarl import URL

from mirror.article.render.readback import read_back
from mirror.check.places import Folder, Place
from mirror.check.remember import Memory, keep, keep_evidence
from mirror.errors import FormatError, SettingsError, VerifyError
from mirror.formats.index import Item, VoidItem
from mirror.formats.paths import short_id, short_of
from mirror.formats.url import article_id
from mirror.obtain.gather import Gathered, gather
from mirror.obtain.memory import Run, in_turn, keep_mirrors, known_mirrors, learnt, trusted
from mirror.obtain.places import Mirror, Web
from mirror.obtain.race import LIES, NO_ANSWER, Race, Word
from mirror.obtain.report import Ending, IndexSeen, Obtained
from mirror.obtain.search import Article, Search
from mirror.obtain.steps import note_of
from mirror.verify import Trust

__all__ = ["TOTAL_S", "Obtained", "Wanted", "Web", "obtain"]

TOTAL_S = 60.0  # of one run: by then a person has turned to something else
_ID = re.compile(r"[a-z2-7]{20}", re.ASCII)
_AT_MIRROR = re.compile(
    r"https?://[^?#]*/(a/[a-z2-7]/[a-z2-7]/[a-z2-7]/[a-z2-7]{17}/[^/?#]*)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which article, whom to believe, and whom to ask.

    `target` is the article's original address, its 20 characters, or its address on any mirror;
    `via` are mirrors and folders to ask before those of the signed lists, or with `only_via`
    instead of them. `root` and `remember` are files; one of the two has the root.
    """

    target: str
    root: Path | None = None
    via: tuple[str, ...] = ()
    remember: Path | None = None
    only_via: bool = False
    even_withdrawn: bool = False


async def obtain(
    wanted: Wanted, *, web: Web, now: Callable[[], int], total_s: float = TOTAL_S
) -> Obtained:
    """Return the article, verified, or why there is none.

    Nothing is kept but in the file `wanted.remember` and beside it: what was believed of the log,
    and which mirrors there are; not what was asked for.

    Raises:
        SettingsError: the target, a mirror, the root or the memory is not in its form.
        VerifyError: the root is not signed by its holders, or contradicts the memory.
    """
    id_ = which(wanted.target)
    memory, known = await asyncio.to_thread(_recall, wanted)
    start = asyncio.get_running_loop().time()
    race = Race(_first_places(wanted, memory, known, web), deadline=start + total_s)
    search = Search(race, Trust(memory.root, now(), memory.seen), _short(id_), id_)

    def join(urls: Iterable[str]) -> None:
        if not wanted.only_via:
            _join(race, _places(urls, known, web), named=len(wanted.via))

    found = await _found(search, join, even_withdrawn=wanted.even_withdrawn)
    if wanted.remember:
        mirrors = learnt(known, _seen(search, found), now())
        await asyncio.to_thread(_learn, wanted.remember, memory, search)
        await asyncio.to_thread(keep_mirrors, wanted.remember, mirrors)
    took_s = asyncio.get_running_loop().time() - start
    return replace(found, took_s=took_s, refused=tuple(search.refused()))


def which(target: str) -> bytes | str:
    """Return the article's id, or the 20 characters of it that stand in paths.

    Raises:
        SettingsError: no address and no id.
    """
    if _ID.fullmatch(target):
        return target
    at_mirror = _AT_MIRROR.fullmatch(re.split("[?#]", target)[0])
    short = short_of(f"{at_mirror[1]}x") if at_mirror else None
    if short:
        return short
    try:
        return article_id(target)
    except FormatError as e:
        said = "an article's address or its 20 characters were expected"
        raise SettingsError(f"{target:.100}: {said}: {e}") from e


def _short(id_: bytes | str) -> str:
    return id_ if isinstance(id_, str) else short_id(id_)


def _recall(wanted: Wanted) -> tuple[Memory, dict[str, int]]:
    return trusted(wanted.root, wanted.remember), known_mirrors(wanted.remember)


def _first_places(
    wanted: Wanted, memory: Memory, known: dict[str, int], web: Web
) -> Iterable[Place]:
    """Return who is asked first: those named for this run, then those that worked last."""
    named = [_named(each, web) for each in wanted.via]
    names = {each.name for each in named}
    lists = [] if wanted.only_via else [*known, *memory.root.mirrors]
    others = _places(lists, known, web)
    if not named and not others:
        said = "the root and the memory name none that can be asked: name one with --via ADDRESS"
        raise SettingsError(f"no mirror: {said}")
    return [*named, *(each for each in others if each.name not in names)]


def _join(race: Race, places: list[Place], *, named: int) -> None:
    """Let the mirrors of the newest list take part, before those it does not name.

    The first `named` of all stay where they are: the reader asked for them.
    """
    race.add(places)
    turns = {each.name: turn for turn, each in enumerate(places)}
    others = sorted(race.runners[named:], key=lambda each: turns.get(each.name, len(turns)))
    race.runners[named:] = others


def _seen(search: Search, found: Obtained) -> Run:
    """Return what the run showed of mirrors; of two histories, neither's list is believed."""
    race, listed = search.race, search.listed if found.verdict != "fork" else None
    bad = {each.mirror for each in race.refused if each.verdict not in NO_ANSWER}
    worked = {each.name for each in race.runners if each.answered} - bad
    return Run(
        _bases(each.url for each in listed.value.index.mirrors) if listed else None,
        _bases(search.trust.root.mirrors),
        worked,
        {each.mirror for each in race.refused} - worked,
    )


def _named(text: str, web: Web) -> Place:
    if not text.startswith(("http://", "https://")):
        folder = Path(text)
        if not folder.is_dir():
            raise SettingsError(f"{text:.100}: no address of a mirror and no folder")
        return Folder(folder)
    base = _base(text)
    if base is None:
        raise SettingsError(f"{text:.100}: no address of a mirror: https://HOST/ was expected")
    return Mirror(base, web)


def _places(urls: Iterable[str], known: dict[str, int], web: Web) -> list[Place]:
    """Return the mirrors of signed lists that can be asked, in turn; others are for others."""
    bases = [base for base in _bases(urls) if web.reaches(base)]
    return [Mirror(base, web) for base in in_turn(bases, known)]


def _bases(urls: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(base for url in urls if (base := _base(url))))


def _base(text: str) -> str | None:
    """Return the address of a mirror with a slash at the end, or None if it is none."""
    try:
        url = URL(text)
    except ValueError:
        return None
    more = {"?", "#"} & set(text) or "@" in url.raw_authority
    if url.scheme not in ("http", "https") or not url.raw_host or more:
        return None
    return str(url) if url.raw_path.endswith("/") else f"{url}/"


async def _found(
    search: Search, join: Callable[[Iterable[str]], None], *, even_withdrawn: bool
) -> Obtained:
    try:
        await search.look_at_index(join)
        article = await search.find(even_withdrawn=even_withdrawn)
        if article is None:
            return _nothing(search)
        gathered = await gather(
            search.race,
            article.promise,
            article.page.value,
            search.trust,
            by=article.page.by,
            wanted=search.wanted,
        )
    except VerifyError as e:  # of what the newsroom itself signed: two histories, or no article
        return replace(_nothing(search), verdict=e.verdict, detail=e.detail)
    return _something(search, article, gathered)


def _nothing(search: Search) -> Obtained:
    """Return the report of a search that has no article to show, with the reason."""
    root, item = search.trust.root, search.item
    empty = Obtained(search.short, root.open.origin, root.version, index=_index(search))
    if isinstance(item, VoidItem):
        return replace(empty, verdict="withdrawn", status="withdrawn", rev=item.rev, leaf=item.leaf)
    verdict = _reason(search)
    detail = ""
    if item:
        why = "altered" if verdict in LIES else "withheld, or not there yet"
        detail = f"the newsroom's index has it, and no mirror that was asked gave it: {why}"
    elif search.is_searched:
        detail = "not in the newsroom's index: never published, or under another address"
    return replace(empty, verdict=verdict, detail=detail, title=item.title if item else "")


def _reason(search: Search) -> Ending:
    """Return the word for why there is nothing: what was wrong with the article before all else."""
    article, index = list[Word](), list[Word]()
    for each in search.race.refused:
        (index if each.what.startswith("index") else article).append(each.verdict)
    found: list[Ending] = [word for word in article if word not in NO_ANSWER]
    if "missing" in article:
        found.append("missing")
    found += [word for word in index if word in LIES]
    return found[0] if found else "unreachable"


def _something(search: Search, article: Article, gathered: Gathered) -> Obtained:
    believed, root = article.promise.believed, search.trust.root
    status, doc, checked = search.status(article.promise), believed.doc, believed.checked
    if status == "current" and search.listed:
        index = search.listed.value.newest.checked
        checked = index if index.confirmed_by == "quorum" else checked
    pages = [data for path, data in gathered.files.items() if path.endswith(".html")]
    title = search.item.title if isinstance(search.item, Item) else _title(pages)
    return Obtained(
        search.short,
        checked.checkpoint.origin,
        root.version,
        "valid" if gathered.is_whole else "incomplete",
        status=status,
        title=title,
        path=article.promise.path,
        rev=doc.rev,
        leaf=believed.leaf,
        time=doc.time,
        confirmed_by=checked.confirmed_by,
        cosigned=checked.cosigned,
        cosigners=len(checked.log.cosigners),
        mirror=article.page.by.name,
        lacks=gathered.lacks,
        index=_index(search),
        files={f"trust/{root.version}.root.json": bytes(root), **gathered.files},
    )


def _title(pages: list[bytes]) -> str:
    article = read_back(pages)
    return article.title if article else ""


def _index(search: Search) -> IndexSeen | None:
    if search.listed is None:
        return None
    listed = search.listed.value
    checked = listed.newest.checked
    return IndexSeen(
        search.listed.by.name,
        checked.checkpoint.size,
        listed.index.issued,
        listed.age_s if checked.time else None,
        listed.stale,
        checked.confirmed_by,
    )


def _learn(remember: Path, memory: Memory, search: Search) -> None:
    """Keep the root, and the checkpoint if its index is believed, and evidence of lies (C8)."""
    new = Memory(search.trust.root, memory.checkpoint, memory.time)
    if search.listed and search.head:
        time = max(search.listed.value.newest.checked.time, memory.time)
        new = Memory(search.trust.root, note_of(search.head.proof), time)
    keep(remember, memory, new)
    for verdict, note in search.evidence:
        keep_evidence(remember, memory, note, verdict)
