"""The site over HTTP: the files of a folder, compressed where the reader takes it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from mirror.errors import FormatError
from mirror.formats.paths import check_path, is_head

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
    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if not path or path.endswith("/"):
            path += "index.html"
        try:
            file = site / check_path(path)
        except FormatError as e:
            raise web.HTTPNotFound from e
        if not file.is_file():
            raise web.HTTPNotFound
        return _response(request, path, file)

    return answer


def _response(request: web.Request, path: str, file: Path) -> web.Response:
    headers = dict(_HEADERS)
    headers["Content-Type"] = _TYPES.get(file.suffix, "text/plain; charset=utf-8")
    if path.startswith("tile/"):
        headers["Content-Type"] = "application/octet-stream"
    headers["Cache-Control"] = "private, max-age=300" if is_head(path) else "immutable"
    accepted = request.headers.get("Accept-Encoding", "")
    for name, suffix in _FORMS:
        form = file.with_name(file.name + suffix)
        if name in accepted and form.is_file():
            return web.Response(
                body=form.read_bytes(), headers={**headers, "Content-Encoding": name}
            )
    return web.Response(body=file.read_bytes(), headers=headers)
