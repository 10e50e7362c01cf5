"""The site over HTTP: the files of a folder, compressed where the reader takes it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from mirror.errors import FormatError
from mirror.formats.paths import check_path, is_head

IMMUTABLE = "max-age=31536000, immutable"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".webp": "image/webp",
}
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
_FORMS = (("br", ".br"), ("gzip", ".gz"))


@asynccontextmanager
async def serve(site: Path, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve the folder `site`; yield the address. No address of a reader is kept."""
    app = web.Application()
    app.add_routes([web.get("/{path:.*}", _answering(site))])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _answering(site: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    site = site.resolve()

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if not path or path.endswith("/"):
            path += "index.html"
        try:
            body = _read(site / check_path(path))
        except FormatError as e:
            raise web.HTTPNotFound from e
        if body is None:
            raise web.HTTPNotFound
        return _response(request, site, path, body)

    return answer


def _read(file: Path) -> bytes | None:
    """Return what is in `file`, if it is one; a site holds no links, so none is followed."""
    try:
        return file.read_bytes() if file.resolve(strict=True) == file else None
    except OSError:  # not there, a folder, or a longer name than the disk takes
        return None


def _response(request: web.Request, site: Path, path: str, body: bytes) -> web.Response:
    headers = dict(_HEADERS)
    headers["Content-Type"] = _TYPES.get(Path(path).suffix, "text/plain; charset=utf-8")
    if path.startswith("tile/"):
        headers["Content-Type"] = "application/octet-stream"
    headers["Cache-Control"] = "private, max-age=300" if is_head(path) else IMMUTABLE
    accepted = request.headers.get("Accept-Encoding", "")
    for name, suffix in _FORMS:
        form = _read(site / f"{path}{suffix}") if _takes(accepted, name) else None
        if form is not None:
            return web.Response(body=form, headers={**headers, "Content-Encoding": name})
    return web.Response(body=body, headers=headers)


def _takes(accepted: str, coding: str) -> bool:
    """Return whether an `Accept-Encoding` names `coding`, and not with the weight 0."""
    for part in accepted.lower().replace(" ", "").split(","):
        name, _, weight = part.partition(";")
        if name == coding:
            return weight.rstrip("0.") != "q="
    return False
