"""What belongs to a believed page: its parts, its pictures, the signatures for other tools."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mirror.check.pages import MAX_PART_BYTES, examine
from mirror.check.places import Place
from mirror.errors import FetchError, VerifyError
from mirror.formats import minisig, sshsig
from mirror.formats.paths import PROOF
from mirror.obtain.places import Taken
from mirror.obtain.race import Race, Runner
from mirror.obtain.steps import Promise
from mirror.verify import Trust, check_part, parts

MAX_PICTURE = 12_000  # A4; the larger form is for people who ask for it
MAX_PICTURES = 30  # of one article: a gallery of hundreds is not what was asked for
WORKERS = 2  # files asked for at a time: as many as connections to one mirror

_PICTURE = re.compile(rb'<a itemprop="contentUrl" href="([0-9a-f]{64}\.webp)"')
_TOOLS = {".minisig": minisig.MAX_BYTES, ".sig": sshsig.MAX_BYTES}


@dataclass(frozen=True, slots=True)
class Gathered:
    """`files` are the article's, all verified; `lacks` names parts and pictures not had."""

    files: Mapping[str, bytes]
    lacks: tuple[str, ...]
    is_whole: bool


@dataclass(slots=True)
class _Basket:
    """Files as they come; each is kept once it was checked."""

    race: Race
    prefer: tuple[Runner, ...]
    files: dict[str, bytes] = field(default_factory=dict)

    async def fill(self, wanted: Mapping[str, tuple[int, Callable[[bytes], None]]]) -> None:
        left = iter(wanted.items())

        async def work() -> None:
            for path, (max_bytes, check) in left:
                await self._take(path, max_bytes, check)

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())

    async def _take(self, path: str, max_bytes: int, check: Callable[[bytes], None]) -> None:
        async def step(place: Place) -> bytes:
            data = await place.read(path, max_bytes)
            check(data)
            return data

        found = await self.race.first(path, step, prefer=self.prefer)
        if found:
            self.files[path] = found.value


async def gather(
    race: Race, promise: Promise, page: bytes, trust: Trust, *, by: Runner, wanted: bytes | str
) -> Gathered:
    """Return all that belongs to `page`, which `by` gave and which is asked first for the rest.

    The signatures for other tools are asked of `by` alone: no program needs them.
    """
    rev = promise.believed.doc.rev
    stem, folder = promise.path.removesuffix(".html"), promise.path.rpartition("/")[0]
    hashes = {f"{stem}-{i}.html": each for i, each in enumerate(parts(page, rev), 2)}
    basket = _Basket(race, (by,), {promise.path: page, promise.path + PROOF: promise.proof})
    await basket.fill({path: (MAX_PART_BYTES, _is_part(each)) for path, each in hashes.items()})
    named = [f"{folder}/{name}" for name in pictures(basket.files.values())]
    await basket.fill({path: (MAX_PICTURE, partial(check_picture, path)) for path in named})
    lacks = tuple(path for path in (*hashes, *named) if path not in basket.files)
    pages = [path for path in (promise.path, *hashes) if path in basket.files]
    files = basket.files | await _signatures(by, pages, deadline=race.deadline)
    # All of it once more, as it will lie in the folder; a flawed signature is left out there.
    seen = await examine(Taken(files), promise.path, trust, wanted=wanted)
    kept = {path: files[path] for path in (*seen.vouched, *named) if path in files}
    return Gathered(kept, lacks, is_whole=not seen.lacks)


async def _signatures(by: Runner, pages: Iterable[str], *, deadline: float) -> dict[str, bytes]:
    """Return those that `by` has, until it gives no answer: they are worth no waiting."""
    files: dict[str, bytes] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            for page in () if by.lied else pages:
                limits = {page + suffix: size for suffix, size in _TOOLS.items()}
                found = await by.place.read_some(limits)
                files |= {path: each for path, each in found.items() if isinstance(each, bytes)}
                errors = [each for each in found.values() if isinstance(each, FetchError)]
                if any(each.kind == "failed" for each in errors):
                    break
    return files


def pictures(pages: Iterable[bytes]) -> list[str]:
    """Return the file names of the pictures that programs show, in their order."""
    found = (name.decode() for page in pages for name in _PICTURE.findall(page))
    return list(dict.fromkeys(found))[:MAX_PICTURES]


def check_picture(path: str, data: bytes) -> None:
    """Refuse `data` unless it is the picture that its name says, in the form for programs."""
    name = f"{hashlib.sha256(data).hexdigest()}.webp"
    if len(data) > MAX_PICTURE or name != path.rpartition("/")[2]:
        raise VerifyError("tampered", "its bytes are not those of its name")


def _is_part(sha256: bytes) -> Callable[[bytes], None]:
    return lambda data: check_part(data, sha256)
