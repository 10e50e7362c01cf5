"""A host of repositories on loopback: nginx with git's own http-backend, and a password."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_ports import free_port
from store_places import Place
from store_sftp import SSHD, stopped_after

from mirror.stores.git import GitStore

NGINX = "/usr/sbin/nginx"
FCGIWRAP = "/usr/sbin/fcgiwrap"
BACKEND = "/usr/lib/git-core/git-http-backend"
USER, TOKEN = "press", "no-one-may-see-this-token"
SECRET = {"USER": USER, "TOKEN": TOKEN}
SETTINGS = """
daemon off; master_process off; worker_processes 1; error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log;
  client_max_body_size {limit}; client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/f;
  proxy_temp_path {folder}/p; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}{tls};
    location /moved/ {{ return 301 /git/; }}
    location /broken/ {{ default_type application/x-git-upload-pack-advertisement;
      return 200 "001e# service=git-upload-pack\\n0000zzzz"; }}
    location /page/ {{ return 200 "<html>welcome</html>"; }}
    location /git/ {{
      auth_basic git; auth_basic_user_file {folder}/users;
      fastcgi_pass unix:{folder}/cgi.sock;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROJECT_ROOT {folder};
      fastcgi_param PATH_INFO $uri;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param GIT_CONFIG_COUNT 2;
      fastcgi_param GIT_CONFIG_KEY_0 safe.directory; fastcgi_param GIT_CONFIG_VALUE_0 *;
      fastcgi_param GIT_CONFIG_KEY_1 http.receivepack; fastcgi_param GIT_CONFIG_VALUE_1 true;
    }}
  }}
}}
"""


@dataclass
class Host:
    """A host with one repository, whose files are in `folder`."""

    folder: Path
    port: int
    scheme: str = "http"

    @property
    def repository(self) -> Path:
        return self.folder / "git" / "site.git"

    @property
    def to(self) -> str:
        return self.address("git/site.git")

    def address(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{path}"

    def empty(self) -> None:
        """Set the repository up anew, with nothing in it."""
        shutil.rmtree(self.repository, ignore_errors=True)
        git("init", "-q", "--bare", str(self.repository))

    def git(self, *words: str) -> bytes:
        return git("--git-dir", str(self.repository), *words)

    def read(self, path: str) -> bytes | None:
        """Return what the host's pages would show."""
        try:
            return self.git("show", f"pages:{path}")
        except subprocess.CalledProcessError:
            return None

    def head(self) -> str:
        return self.git("rev-parse", "pages").decode().strip()

    def requests(self) -> list[str]:
        lines = (self.folder / "access.log").read_text().splitlines()
        return [line.split('"')[1] for line in lines]

    def store(
        self, room: Path, *, secret: Mapping[str, str] = SECRET, to: str = "", **options: str
    ) -> GitStore:
        return GitStore("pages", to or self.to, room=room, secret=secret, options=options)


def git(*words: str) -> bytes:
    """Run git without anything of the user's or the machine's."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        **{
            f"GIT_{who}_{what}": "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(["git", *words], check=True, capture_output=True, env=environment)
    return done.stdout


def check_programs(*programs: str) -> None:
    missing = [each for each in programs if not shutil.which(each)]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)} (apt install git nginx fcgiwrap)")


@contextmanager
def running(*, tls: str = "", limit: str = "100m") -> Iterator[Host]:
    """Run a host with one empty repository; `tls` names a certificate and key for https."""
    check_programs("git", NGINX, FCGIWRAP)
    with tempfile.TemporaryDirectory(prefix="git-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        host = Host(folder, free_port(), "https" if tls else "http")
        host.empty()
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{TOKEN}\n")
        listen = f" ssl; ssl_certificate {tls}; ssl_certificate_key {tls}" if tls else ""
        text = SETTINGS.format(
            folder=folder, port=host.port, limit=limit, tls=listen, backend=BACKEND
        )
        (folder / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + text)
        wrap = [FCGIWRAP, "-c", "1", "-s", f"unix:{folder}/cgi.sock"]
        with (folder / "cgi.log").open("wb") as log:
            wrapper = subprocess.Popen(wrap, stdout=log, stderr=log)
        command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        try:
            with stopped_after(command, port=host.port, log=folder / "nginx.log"):
                while not (folder / "cgi.sock").exists() and wrapper.poll() is None:
                    time.sleep(0.01)
                yield host
        finally:
            wrapper.terminate()
            wrapper.wait()


def place_of(host: Host, room: Path) -> Place:
    """Return the repository as a place; its stores share a room, as after a restart."""
    return Place(lambda: host.store(room), host.read, host.empty)


@contextmanager
def place(room: Path) -> Iterator[Place]:
    """Yield a repository behind HTTP; its readers see the files of the branch."""
    with running() as host:
        yield place_of(host, room)


@contextmanager
def over_ssh(host: Host) -> Iterator[Mapping[str, str]]:
    """Let the repository be reached over ssh; yield the secret for it, with PORT beside."""
    check_programs("git", SSHD, "ssh-keygen")
    if os.geteuid() != 0:
        pytest.skip("only root can run an sshd of its own")
    Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in; the program insists on it
    port, folder = free_port(), host.folder
    for name in ("machine", "own"):
        words = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    shutil.copy(folder / "own.pub", folder / "authorized")
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/machine\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nUsePAM no\nStrictModes no\n"
        "PermitRootLogin prohibit-password\nAllowUsers root\n"
    )
    key = (folder / "machine.pub").read_text().rpartition(" ")[0]
    command = [SSHD, "-f", str(folder / "sshd.conf"), "-D", "-e"]
    with stopped_after(command, port=port, log=folder / "sshd.log"):
        yield {"KEY_FILE": str(folder / "own"), "HOST_KEY": key, "PORT": str(port)}
