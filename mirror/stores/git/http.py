"""A repository's host over HTTP: every answer small, in time, and from where it was asked."""

import io
import time
from collections.abc import Mapping, Sequence
from typing import Any

import urllib3
from dulwich.client import Urllib3HttpGitClient
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from urllib3.exceptions import HTTPError, MaxRetryError

CONNECT_S = 20.0
SILENT_S = 120.0  # some hosts work that long on a push before they say a word
WHOLE_S = 600.0  # an answer a byte a minute is an error and not a store that hangs
MAX_BYTES = 1_000_000  # branches by the thousand; no more is ever asked for
WORDS = {
    401: "wrong user or token: see its secret file",
    403: "user or token has no right to write there: see its secret file",
    404: "no such repository, or it is not shown to this user",
    407: "a proxy refuses",
    411: "the host wants to know the length before: it is too old",
    413: "too large for the host: it must allow larger pushes",
    429: "asked too often: later",
    507: "the host's disk is full",
}
_MOVED = range(300, 400)


CAPABILITIES = {b"report-status", b"side-band-64k", b"ofs-delta"}
"""Of every host since 2008; they are taken for granted where it is not asked before a push."""


class RefusedError(Exception):
    """The host does not do it; the message is for people and has no secret."""


class Pool(urllib3.PoolManager):
    """Connections to one host; what is read is whole, bounded, and never from somewhere else."""

    def request(  # type: ignore[override]  # as dulwich calls it
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        **sent: Any,  # noqa: ANN401
    ) -> urllib3.HTTPResponse:
        """Return the whole answer.

        Raises:
            RefusedError: none came, or not the one that was asked for.
        """
        # A redirect would bring what is sent, and in old libraries the password, elsewhere.
        once = {"retries": False, "redirect": False, "preload_content": False}
        try:
            answer = super().request(method, url, headers=headers, **{**sent, **once})
            try:
                return _whole(answer, url)
            finally:
                answer.close()
        except (HTTPError, OSError) as e:
            raise RefusedError(_reason(e)) from e


def _whole(answer: urllib3.BaseHTTPResponse, url: str) -> urllib3.HTTPResponse:
    if answer.status in _MOVED:
        raise RefusedError("moved to another address: name that one")
    if answer.status != 200:
        raise RefusedError(WORDS.get(answer.status, f"the host answers {answer.status}"))
    body, size, until = [], 0, time.monotonic() + WHOLE_S
    while part := answer.read1(65536):
        body.append(part)
        size += len(part)
        if size > MAX_BYTES or time.monotonic() > until:
            raise RefusedError("its answer is longer than any of a repository")
    stream = io.BytesIO(b"".join(body))
    headers = {key: value for key, value in answer.headers.items() if key.lower() == "content-type"}
    return urllib3.HTTPResponse(
        stream, headers=headers, status=200, preload_content=False, request_url=url
    )


def _reason(e: Exception) -> str:
    """Return in words why there was no answer; of addresses only what the library's words have."""
    if isinstance(e, MaxRetryError) and e.reason:
        e = e.reason
    text = str(e)
    for known, words in _REASONS.items():
        if known in text:
            return words
    return f"no answer: {type(e).__name__}"


_REASONS = {
    "certificate has expired": "its certificate has expired: the host must renew it",
    "not yet valid": "its certificate is not valid yet: look at the clocks",
    "Hostname mismatch": "its certificate is for another name",
    "IP address mismatch": "its certificate is for another address",
    "self-signed": "its certificate is by nobody who is trusted",
    "unable to get local issuer": "its certificate is by nobody who is trusted",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not valid",
    "Connection refused": "down: connection refused",
    "timed out": "no answer in time",
    "Failed to resolve": "no such host",
    "Name or service not known": "no such host",
    "Connection reset": "the connection was reset",
    "Broken pipe": "the connection was cut while sending: too large for the host, or down",
    "RemoteDisconnected": "the connection was cut",
}


class Client(Urllib3HttpGitClient):
    """A client that, where it was told `known`, pushes without asking for the branches first.

    That halves the requests of a round. The host compares what was told with what it has.
    """

    known: Mapping[Ref, ObjectID] | None = None

    def _discover_references(
        self,
        service: bytes,
        base_url: str,
        protocol_version: int | None = None,
        ref_prefix: Sequence[bytes] | None = None,
    ) -> tuple[dict[Ref, ObjectID | None], set[bytes], str, dict[Ref, Ref], dict[Ref, ObjectID]]:
        if self.known is None or service != b"git-receive-pack":
            return super()._discover_references(service, base_url, protocol_version, ref_prefix)
        return dict(self.known), CAPABILITIES, base_url, {}, {}


def client(
    base: str, *, user: str, token: str, ca: str, headers: Mapping[str, str]
) -> tuple[Client, Pool]:
    """Return a client for the host at `base`, and its connections, to be cleared afterwards."""
    pool = Pool(
        headers=dict(headers),
        timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENT_S),
        cert_reqs="CERT_REQUIRED",
        ca_certs=ca or None,
    )
    login = user if token else None
    return Client(base, pool_manager=pool, username=login, password=token), pool
