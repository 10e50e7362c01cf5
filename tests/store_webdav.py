"""WebDAV by nginx on loopback: written to with a password, read by anybody."""

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_port
from store_places import Place
from store_sftp import is_root, stopped_after

from mirror.stores.rclone import RcloneStore

NGINX = "/usr/sbin/nginx"
MODULE = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
PASSWORD = "drei Körbe & 5% Äpfel"
ANSWER_S = 10.0


@dataclass(frozen=True)
class Nginx:
    """A server whose files are in `folder`: WebDAV at `port`, the same for readers at `public`."""

    folder: Path
    port: int
    public: int

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def make(self) -> "Nginx":
        self.empty()
        (self.folder / "users").write_text(f"desk:{{PLAIN}}{PASSWORD}\n")
        (self.folder / "nginx.conf").write_text(self.settings())
        return self

    def empty(self) -> None:
        """Lose all that was written."""
        shutil.rmtree(self.site, ignore_errors=True)
        self.site.mkdir()
        if is_root():
            shutil.chown(self.site, "nobody")

    def settings(self, *, tls: str = "", more: str = "") -> str:
        """Return the configuration; `tls` is the name of a key and certificate in the folder."""
        secure = f"ssl_certificate {tls}.pem; ssl_certificate_key {tls}.key;" if tls else ""
        # Without a master, nobody tries to become another.
        user = "user nobody nogroup;" if is_root() else "user root; master_process off;"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return f"""
            load_module {MODULE};
            {user}
            daemon off;
            worker_processes 1;
            pid {self.folder}/pid;
            error_log {self.folder}/error.log;
            events {{}}
            http {{
                log_format short '$request_method $uri $status';
                access_log {self.folder}/access.log short;
                {"".join(f"{kind}_temp_path {self.folder}/tmp;" for kind in kinds)}
                types {{ text/html html; application/json json; }}
                root {self.site};
                {more}
                server {{
                    listen 127.0.0.1:{self.public};
                    access_log off;
                    add_header Access-Control-Allow-Origin *;
                }}
                server {{
                    listen 127.0.0.1:{self.port}{" ssl" if tls else ""};
                    {secure}
                    auth_basic desk;
                    auth_basic_user_file {self.folder}/users;
                    dav_methods PUT DELETE MKCOL COPY MOVE;
                    dav_ext_methods PROPFIND OPTIONS;
                    create_full_put_path on;
                    client_max_body_size 64m;
                }}
            }}
        """

    def options(self, scheme: str = "http") -> dict[str, str]:
        """Return what a store must be told of this server."""
        url = f"{scheme}://127.0.0.1:{self.port}/"
        return {"type": "webdav", "url": url, "vendor": "other", "user": "desk"}

    def asked(self) -> list[str]:
        """Return what was asked for so far: `METHOD /path STATUS`."""
        return (self.folder / "access.log").read_text().splitlines()

    def read(self, path: str) -> bytes | None:
        """Return what a reader gets."""
        try:
            url = f"http://127.0.0.1:{self.public}/{path}"
            with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as e:
            e.close()
            if e.code == 404:
                return None
            raise


@contextmanager
def made() -> Iterator[Nginx]:
    """Yield an nginx with the methods of WebDAV that does not run yet."""
    if not Path(MODULE).exists() or not os.access(NGINX, os.X_OK):
        pytest.skip("nginx with WebDAV is not installed (apt install libnginx-mod-http-dav-ext)")
    with tempfile.TemporaryDirectory(prefix="webdav-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Nginx(folder, free_port(), free_port()).make()


@contextmanager
def serving(server: Nginx) -> Iterator[None]:
    """Let `server` answer until the block ends."""
    command = [NGINX, "-p", str(server.folder), "-c", "nginx.conf", "-e", "error.log"]
    with stopped_after(command, port=server.port, log=server.folder / "log"):
        yield


@contextmanager
def running() -> Iterator[Nginx]:
    """Run an nginx that has the methods of WebDAV."""
    with made() as server, serving(server):
        yield server


@contextmanager
def place(room: Path) -> Iterator[Place]:
    """Yield a place behind WebDAV; its readers ask nginx without a password."""
    with running() as server:

        def make() -> RcloneStore:
            secret = {"pass": PASSWORD}
            return RcloneStore("webdav", "far:", room=room, secret=secret, options=server.options())

        yield Place(make, server.read, server.empty, looks=False)
