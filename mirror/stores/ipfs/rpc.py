"""What is handed to an IPFS node in bulk, and what is read back over its gateway: by aiohttp."""

import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from mirror.errors import StoreError
from mirror.formats import car
from mirror.formats.cid import Buffer, Cid
from mirror.stores.ipfs.words import last, parts
from mirror.stores.words import without

MAX_LINES = 1024 * 1024  # bytes of an answer: a line of progress each half second, for hours
MAX_FILE = 2 * 1024 * 1024  # bytes of a block or of a file that is read back
PIN_S = 6 * 3600.0  # for a whole archive; what counts is that the node says something

_BOUNDARY = "the-blocks-have-no-such-line-3f1c0a77"
_HEAD = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="site.car"\r\n'
    "Content-Type: application/vnd.ipld.car\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()


class Rpc:
    """Talks to the node at `api`: `http://127.0.0.1:5001`, or the path of a socket."""

    def __init__(self, api: str, *, name: str, secret: str, timeout_s: float) -> None:
        self._api = api
        self._name = name
        self._secret = secret
        self._hidden = parts(secret)
        self._timeout_s = timeout_s

    async def put(self, root: Cid, blocks: Sequence[tuple[Cid, Buffer]]) -> None:
        """Have the node take blocks, which belong to no pin yet; return when it counted them."""
        lines = await self._lines("dag/import?pin-roots=false&stats=true", (root, blocks))
        stats = [line["Stats"] for line in lines if isinstance(line.get("Stats"), dict)]
        taken = stats[0].get("BlockCount") if len(stats) == 1 else None
        if taken != len(blocks):
            raise StoreError(f"{self._name}: dag/import: it took {taken} blocks of {len(blocks)}")

    async def pin(self, old: Cid | None, new: Cid) -> None:
        """Have the node keep all below `new`, and what only `old` leads to no longer.

        From an old pin the node looks at what changed; without one it walks all.
        """
        if old:
            lines = await self._lines(f"pin/update?arg={old}&arg={new}&unpin=true")
        else:
            lines = await self._lines(f"pin/add?arg={new}&recursive=true&progress=true")
        pins = [line["Pins"] for line in lines if line.get("Pins")]
        if len(pins) != 1 or not isinstance(pins[0], list) or not pins[0]:
            raise StoreError(f"{self._name}: pin: no word of what it pinned")
        said = str(pins[0][-1]).removeprefix("/ipfs/")
        if said != str(new):
            said = without(said, self._hidden)
            raise StoreError(f"{self._name}: pin: it pinned {said:.70}, not {new}")

    async def shown(self, gateway: str, path: str) -> bytes:
        """Return what the node's gateway shows under `/ipfs/<path>`."""
        subject = f"{self._name}: {gateway}"
        async with (
            self._session("") as session,
            _named(subject),
            session.get(f"{gateway}/ipfs/{path}", allow_redirects=False) as answer,
        ):
            _check_status(subject, answer)
            return await _limited(subject, answer, MAX_FILE)

    async def _lines(
        self, call: str, blocks: tuple[Cid, Sequence[tuple[Cid, Buffer]]] | None = None
    ) -> list[dict[str, Any]]:
        """Return what the node answers, an object a line, none of them an error."""
        subject = f"{self._name}: {call.partition('?')[0]}"
        headers = {"Authorization": self._secret} if self._secret else {}
        data = None
        if blocks:
            headers["Content-Type"] = f"multipart/form-data; boundary={_BOUNDARY}"
            data = _form(*blocks)
        base = "http://node" if self._api.startswith("/") else self._api.rstrip("/")
        url = f"{base}/api/v0/{call}"
        async with (
            self._session(self._api, pins=blocks is None) as session,
            _named(subject),
            session.post(url, data=data, headers=headers, allow_redirects=False) as answer,
        ):
            text = await _limited(subject, answer, MAX_LINES)
        lines = _objects(subject, text, failed=answer.status != 200, hidden=self._hidden)
        _check_status(subject, answer)
        return lines

    @asynccontextmanager
    async def _session(
        self, api: str, *, pins: bool = False
    ) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.UnixConnector(api) if api.startswith("/") else aiohttp.TCPConnector()
        wait = {"sock_connect": self._timeout_s, "sock_read": self._timeout_s}
        total_s = PIN_S if pins else min(PIN_S, 10 * self._timeout_s)  # for 8 MB, or a pin's walk
        timeout = aiohttp.ClientTimeout(total=total_s, **wait)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield session


async def _form(root: Cid, blocks: Sequence[tuple[Cid, Buffer]]) -> AsyncIterator[bytes]:
    yield _HEAD
    for piece in car.write(root, blocks):
        yield bytes(piece)
    yield _TAIL


@asynccontextmanager
async def _named(subject: str) -> AsyncIterator[None]:
    """Say in words what keeps a node from answering."""
    try:
        yield
    except TimeoutError as e:
        raise StoreError(f"{subject}: no answer in time") from e
    except aiohttp.ClientConnectorError as e:
        raise StoreError(f"{subject}: not reached: is Kubo running there?") from e
    except (aiohttp.ClientError, OSError) as e:
        raise StoreError(f"{subject}: the answer broke off: {type(e).__name__}") from e


async def _limited(subject: str, answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(65536):
        body += piece
        if len(body) > max_bytes:
            raise StoreError(f"{subject}: an answer of over {max_bytes} bytes")
    return bytes(body)


def _check_status(subject: str, answer: aiohttp.ClientResponse) -> None:
    if answer.status in (401, 403):
        detail = "refused: API.Authorizations wants another secret"
        raise StoreError(f"{subject}: HTTP {answer.status}: {detail}")
    if answer.status != 200:
        raise StoreError(f"{subject}: HTTP {answer.status}")


def _objects(
    subject: str, text: bytes, *, failed: bool, hidden: Collection[str]
) -> list[dict[str, Any]]:
    """Return the objects of an answer; those of one that failed are read for their reason only."""
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            each = json.loads(line)
        except (ValueError, RecursionError) as e:
            if failed:
                return []
            raise StoreError(f"{subject}: not an answer of Kubo's") from e
        if not isinstance(each, dict):
            raise StoreError(f"{subject}: not an answer of Kubo's")
        if each.get("Type") == "error":
            raise StoreError(f"{subject}: {_reason(str(each.get('Message')), hidden)}")
        found.append(each)
    return found


def _reason(message: str, hidden: Collection[str]) -> str:
    if "no space left" in message or "maximum storage limit" in message:
        return f"its disk is full: make room for it: {last(message, hidden, count=200)}"
    return without(message, hidden)
