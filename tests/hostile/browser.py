"""Opens pages in a browser that can reach nothing but a counter, and says what they did.

Run as a program in a network of its own: `unshare -rn python browser.py CHROMIUM FOLDER`. Every
host name leads to the counter, which answers nothing. The pages are shown one after the other in
frames; a page that runs anything tells so (`xss.ACT`), one that asks for anything is counted.
"""

import fcntl
import http.server
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

MAX_S = 120
LANES = 8
OWN = (".google.com", ".googleapis.com")
"""Whom the browser asks for its own updates."""
_HARNESS = """<!doctype html><meta charset="utf-8"><title>harness</title><body><script>
const names = %s, acted = [];
let left = names.length;
addEventListener("message", event => { if (event.data === "canary") acted.push(1); });
function next() {
  const name = names.pop();
  if (name === undefined) return;
  const frame = document.createElement("iframe");
  frame.onload = () => setTimeout(() => {
    frame.remove();
    left -= 1;
    if (left === 0) fetch("http://127.0.0.1:%d/done?" + acted.length, {mode: "no-cors"});
    next();
  }, 5);
  frame.src = name;
  document.body.append(frame);
}
for (let lane = 0; lane < %d; lane += 1) next();
</script>"""


class _Counter(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012  one server in one process
    acted = -1
    done = threading.Event()

    def do_GET(self) -> None:
        path, _, count = self.path.partition("?")
        if path == "/done":
            type(self).acted = int(count)
            self.done.set()
        elif not self.headers.get("Host", "").endswith(OWN):
            self.asked.append(f"{self.headers.get('Host', '')}{self.path}")
        self.send_response(204)
        self.end_headers()

    do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815  so the server calls them

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(chromium: str, folder: Path) -> None:
    """Print what the pages in `folder` did, as JSON."""
    _raise_loopback()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Counter)
    port = int(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = sorted(path.name for path in folder.glob("*.html"))
    (folder / "harness.htm").write_text(_HARNESS % (json.dumps(names), port, LANES))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = (
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-sync"),
            *("--disable-component-update", "--disable-default-apps", "--disable-extensions"),
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP * 127.0.0.1:{port}",
        )
        url = (folder / "harness.htm").as_uri()
        nothing = subprocess.DEVNULL
        command = [chromium, *options, url]
        with subprocess.Popen(command, stdout=nothing, stderr=nothing) as browser:
            finished = _Counter.done.wait(MAX_S)
            browser.terminate()
    print(json.dumps({"finished": finished, "acted": _Counter.acted, "asked": _Counter.asked[:20]}))


def _raise_loopback() -> None:
    """Bring up `lo`, which a new network has but does not start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(one, 0x8913, request))[1]
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
