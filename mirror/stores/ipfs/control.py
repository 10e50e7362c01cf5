"""What is asked of an IPFS node in a few words: who it is, what it pins, a block, to tidy up.

By `ipfshttpclient`, which nothing else imports. It follows redirects and reads answers of any
length: a hook, where it lets a caller set the authorization, keeps it from both. It waits in a
thread, and a node that says its head a byte a second keeps that waiting for days: the thread is
left alone then, no other is begun before it ends, and it keeps no program from ending.
"""

import asyncio
import io
import json
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import ipfshttpclient
import urllib3.exceptions
from ipfshttpclient import exceptions

from mirror.errors import StoreError
from mirror.formats.cid import Cid
from mirror.stores.ipfs.words import parts
from mirror.stores.words import without

MAX_WORDS = 64 * 1024  # bytes of an answer in JSON
MAX_BLOCK = 2 * 1024 * 1024  # bytes of a block or of a file that is read back
MAX_NAME = 200  # characters of a version or a peer id
_THROUGH = "indirect through "  # what Kubo says of a block below a pin, before the pin's root
COLLECT_S = 3600.0  # the node walks all that it pins, and says nothing until it is done

T = TypeVar("T")

# What ipfshttpclient tells urllib3 is of no concern below its version 3, and to no operator.
warnings.filterwarnings("ignore", "The 'strict' parameter is no longer", FutureWarning)


class Control:
    """Asks the node at `api`: `http://127.0.0.1:5001`, or the path of a socket."""

    def __init__(self, api: str, *, name: str, secret: str, timeout_s: float) -> None:
        self._address = _multiaddr(api)
        self._name = name
        self._secret = secret
        self._hidden = parts(secret)
        self._timeout_s = timeout_s
        self._work: Future[Any] | None = None

    async def version(self) -> str:
        """Return the node's version, as it says it."""
        said = await self._ask("version", lambda node: _text(node.version()["Version"]))
        return without(said, self._hidden)[:MAX_NAME]

    async def peer(self) -> str:
        """Return the node's peer id, which is its repository's."""
        said = await self._ask("id", lambda node: _text(node.id()["ID"]))
        return without(said, self._hidden)[:MAX_NAME]

    async def is_pinned(self, cid: Cid) -> bool:
        """Return whether a root, and all below it, is kept."""

        def ask(node: Any) -> bool:  # noqa: ANN401 - a client of ipfshttpclient
            try:
                node.pin.ls(str(cid), type="recursive")
            except exceptions.ErrorResponse as e:
                if "is not pinned" in str(e):
                    return False
                raise
            return True

        return await self._ask("pin/ls", ask)

    async def pinned_by(self, cid: Cid) -> str:
        """Return the root of the pin that keeps a block, itself perhaps; "" if none does.

        The node walks what it pins until it meets the block: on a large one that takes long.
        """

        def ask(node: Any) -> str:  # noqa: ANN401 - a client of ipfshttpclient
            try:
                kind = _text(node.pin.ls(str(cid), type="all")["Keys"][str(cid)]["Type"])
            except exceptions.ErrorResponse as e:
                if "is not pinned" in str(e):
                    return ""
                raise
            return kind.removeprefix(_THROUGH) if kind.startswith(_THROUGH) else str(cid)

        return without(await self._ask("pin/ls", ask), self._hidden)[:MAX_NAME]

    async def has(self, cid: Cid) -> bool:
        """Return whether the node itself has a block, pinned or not; no other is asked for it."""

        def ask(node: Any) -> bool:  # noqa: ANN401 - a client of ipfshttpclient
            try:
                return _text(node.block.stat(str(cid), offline=True)["Key"]) != ""
            except exceptions.ErrorResponse as e:
                if f"could not find {cid}" in str(e):
                    return False
                raise

        return await self._ask("block/stat", ask)

    async def block(self, cid: Cid) -> bytes:
        """Return a block that the node has; not checked, and not fetched from others."""
        return await self._bytes("block/get", lambda node: node.block.get(str(cid), offline=True))

    async def file(self, path: str) -> bytes:
        """Return what `/ipfs/<cid>/<path>` holds, likewise."""
        return await self._bytes("cat", lambda node: node.cat(path, offline=True))

    async def collect(self) -> None:
        """Have the node remove what it does not pin."""

        def ask(node: Any) -> object:  # noqa: ANN401 - a client of ipfshttpclient
            return node.repo.gc(quiet=True, opts={"silent": "true"})

        await self._bounded("repo/gc", ask, 0, COLLECT_S)

    async def _ask(self, what: str, ask: Callable[[Any], T]) -> T:
        return await self._bounded(what, ask, MAX_WORDS, self._timeout_s)

    async def _bytes(self, what: str, ask: Callable[[Any], bytes]) -> bytes:
        return await self._bounded(what, ask, MAX_BLOCK, self._timeout_s)

    async def _bounded(
        self, what: str, ask: Callable[[Any], T], max_bytes: int, timeout_s: float
    ) -> T:
        """Return `ask`'s answer, run in a thread that touches nothing of ours.

        Unlike other threads it is not waited for by whom is cancelled.
        """
        if self._work and not self._work.done():
            raise StoreError(f"{self._name}: {what}: not asked: it still owes the answer before")
        self._work = work = Future[T]()
        work.set_running_or_notify_cancel()

        def run() -> None:
            try:
                work.set_result(self._call(what, ask, max_bytes, timeout_s))
            except Exception as e:  # noqa: BLE001 - raised where it is waited for
                work.set_exception(e)

        Thread(target=run, name=f"{self._name} {what}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s + self._timeout_s):  # the first is a socket's
                return await asyncio.wrap_future(work)
        except TimeoutError as e:
            raise StoreError(f"{self._name}: {what}: no whole answer in time") from e

    def _call(self, what: str, ask: Callable[[Any], T], max_bytes: int, timeout_s: float) -> T:
        guard = _Guard(f"{self._name}: {what}", self._secret, max_bytes, timeout_s)
        # Not `connect()`, which refuses each Kubo of the last years. A session per call.
        client = ipfshttpclient.Client(self._address, auth=guard, timeout=timeout_s)
        try:
            return ask(client)
        except exceptions.TimeoutError as e:
            raise StoreError(f"{self._name}: {what}: no answer in {timeout_s:.0f} s") from e
        except exceptions.ErrorResponse as e:
            # Not chained: what the node said may hold the secret.
            raise StoreError(f"{self._name}: {what}: {without(str(e), self._hidden)}") from None
        except exceptions.StatusError as e:
            raise StoreError(f"{self._name}: {what}: {_in_words(e)}") from e
        except exceptions.EncoderError as e:
            raise StoreError(f"{self._name}: {what}: not an answer of Kubo's") from e
        except exceptions.CommunicationError as e:
            raise StoreError(f"{self._name}: {what}: not reached: is Kubo running there?") from e
        except (KeyError, TypeError) as e:  # JSON of another shape
            raise StoreError(f"{self._name}: {what}: not an answer of Kubo's") from e


class _Guard:
    """An `auth` of requests: adds the secret, and reads the answer within limits."""

    def __init__(self, subject: str, secret: str, max_bytes: int, timeout_s: float) -> None:
        self._subject = subject
        self._secret = secret
        self._max_bytes = max_bytes
        self._end = time.monotonic() + timeout_s

    def __call__(self, request: Any) -> Any:  # noqa: ANN401 - a prepared request of requests
        if self._secret:
            request.headers["Authorization"] = self._secret
        request.register_hook("response", self._read)
        return request

    def _read(self, response: Any, **_: object) -> Any:  # noqa: ANN401 - a response of requests
        raw = response.raw
        try:
            if response.is_redirect or response.headers.get("Content-Encoding"):
                raise StoreError(f"{self._subject}: not an answer of Kubo's")
            body = self._body(raw)
        except urllib3.exceptions.TimeoutError as e:
            raise StoreError(f"{self._subject}: no whole answer in time") from e
        except urllib3.exceptions.HTTPError as e:
            raise StoreError(f"{self._subject}: the answer broke off") from e
        finally:
            raw.close()
        if self._max_bytes == MAX_WORDS and response.ok:
            self._check_words(body)
        response.raw = io.BytesIO(body)
        return response

    def _body(self, raw: Any) -> bytes:  # noqa: ANN401 - a response of urllib3
        body = bytearray()
        while piece := raw.read1(65536):
            body += piece
            if len(body) > max(self._max_bytes, MAX_WORDS):
                raise StoreError(f"{self._subject}: an answer of over {self._max_bytes} bytes")
            if time.monotonic() > self._end:
                raise StoreError(f"{self._subject}: no whole answer in time")
        return bytes(body)

    def _check_words(self, body: bytes) -> None:
        """Refuse what the library would trip over: no object, several, nested too deep."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as e:
            raise StoreError(f"{self._subject}: not an answer of Kubo's") from e
        if not isinstance(found, dict):
            raise StoreError(f"{self._subject}: not an answer of Kubo's")


def _multiaddr(api: str) -> str:
    if api.startswith("/"):
        return f"/unix{api}"
    url = urlsplit(api)
    host = url.hostname or ""
    # Of one family, never "dns": with that the library would ask the environment's proxy.
    kind = "ip6" if ":" in host else "ip4" if host.replace(".", "").isdigit() else "dns4"
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"/{kind}/{host}/tcp/{port}/{url.scheme}"


def _in_words(e: exceptions.StatusError) -> str:
    status = e.original.response.status_code
    if status in (401, 403):
        return f"HTTP {status}: refused: API.Authorizations wants another secret"
    return f"HTTP {status}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
