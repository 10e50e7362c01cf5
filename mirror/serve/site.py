"""The site's files as answers: from memory if they are there and unchanged, else from the disk."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mirror.errors import FormatError
from mirror.labels import caching_of, type_of
from mirror.serve.files import SUFFIXES, Form, opened, read_forms, stamp, stamp_of
from mirror.serve.headers import has_forms, is_form, policy_of
from mirror.serve.manners import Manners
from mirror.serve.reply import NOT_FOUND, NOT_TAKEN, Reply, head
from mirror.serve.target import accepted, has_tag, site_path
from mirror.threads import in_thread

_OVERHEAD = 2_048  # bytes of memory that an answer takes beside its body: headers twice, objects
_TAGS = {"br": ".br", "gzip": ".gz", "identity": ""}
_PLAIN = ("identity",)


@dataclass(frozen=True, slots=True)
class Ready:
    """A form of a file and the answers made of it; `tag` is "" where it has no ETag."""

    form: Form
    reply: Reply = NOT_TAKEN
    unchanged: Reply = NOT_TAKEN
    tag: str = ""


class Kept:
    """Answers in memory, within a number of bytes: the one unused for longest goes first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._all: OrderedDict[tuple[str, str], Ready] = OrderedDict()

    def get(self, path: str, coding: str) -> Ready | None:
        """Return what is kept; whether it is still so the caller finds out."""
        ready = self._all.get((path, coding))
        if ready is not None:
            self._all.move_to_end((path, coding))
        return ready

    def put(self, path: str, ready: Ready) -> None:
        """Keep `ready` in place of what was kept of the same path and coding."""
        key = path, ready.form.coding
        old = self._all.pop(key, None)
        self.bytes += _size(ready) - (_size(old) if old else 0)
        self._all[key] = ready
        while self.bytes > self.max_bytes:
            self.bytes -= _size(self._all.popitem(last=False)[1])


def _size(ready: Ready) -> int:
    return len(ready.reply.body) + _OVERHEAD


class Site:
    """A folder as answers."""

    def __init__(self, folder: Path, manners: Manners, readings: asyncio.Semaphore) -> None:
        self._folder = str(folder)
        self._manners = manners
        self._readings = readings
        self._kept = Kept(manners.cache_bytes)

    async def reply(self, path: str, *, accept_encoding: str, if_none_match: str) -> Reply:
        """Return the answer to a request for the undecoded `path` of a target."""
        try:
            path = site_path(path)
        except FormatError:
            return NOT_FOUND
        codings = accepted(accept_encoding)
        if not has_forms(path):
            codings = _PLAIN if "identity" in codings else ()
            if is_form(path):
                return NOT_FOUND
        ready = self._held(path, codings) or await self._read(path, codings)
        if ready is None:
            return NOT_FOUND
        if if_none_match and ready.tag and has_tag(if_none_match, ready.tag):
            return ready.unchanged
        return ready.reply

    def _held(self, path: str, codings: Sequence[str]) -> Ready | None:
        """Return what is kept of the best form, if the files are still those that it was read of.

        Both are asked for: the plain file decides what the page is, and a form that came or
        went since is another answer.
        """
        ready = plain = None
        file = f"{self._folder}/{path}"
        for coding in codings:
            ready = self._kept.get(path, coding)
            if ready is None:
                return None
            plain = plain or stamp(file)
            if ready.form.plain != plain:
                return None
            if coding != "identity" and ready.form.own != stamp(file + SUFFIXES[coding]):
                return None
            if not ready.form.missing:
                return ready
        return ready

    async def _read(self, path: str, codings: Sequence[str]) -> Ready | None:
        async with self._readings:
            held = self._held(path, codings)  # read while this one waited
            if held:
                return held
            forms = await in_thread(read_forms, self._folder, path, codings, self._manners)
            if forms is None:
                return None
            ready = Ready(_NOTHING)
            for form in forms:
                ready = Ready(form) if form.missing else self._ready(path, form)
                self._kept.put(path, ready)
            return ready

    def _ready(self, path: str, form: Form) -> Ready:
        tag = f'"{form.digest}{_TAGS[form.coding]}"' if form.digest else ""
        policy = policy_of(path, form.beginning)
        fields = [("Cache-Control", caching_of(path))]
        if tag:
            fields.append(("ETag", tag))
        if has_forms(path):
            fields.append(("Vary", "Accept-Encoding"))
        content = [("Content-Type", type_of(path))]
        if form.coding != "identity":
            content.append(("Content-Encoding", form.coding))
        pieces = partial(self._pieces, path, form) if form.data is None else None
        return Ready(
            form,
            Reply(head(200, content + fields, form.size, policy=policy), form.data or b"", pieces),
            Reply(head(304, fields, None, policy=policy)),
            tag,
        )

    async def _pieces(self, path: str, form: Form) -> AsyncGenerator[bytes, None]:
        """Yield a file too large for memory; a reader of one that changed meanwhile is cut off."""
        async with self._readings:
            found = await in_thread(opened, self._folder, path + SUFFIXES[form.coding])
        if found is None:
            raise ConnectionAbortedError
        try:
            if stamp_of(found) != (form.own or form.plain):
                raise ConnectionAbortedError
            left = form.size
            while left:
                async with self._readings:
                    size = min(left, self._manners.piece_bytes)
                    piece = await in_thread(os.read, found, size)
                if not piece:
                    raise ConnectionAbortedError
                left -= len(piece)
                yield piece
        finally:
            os.close(found)


_NOTHING = Form("identity", (0, 0, 0), None)
