"""Object storage on loopback, rclone's own server, in a process of its own."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirror.stores.rclone.run import program

KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret"}
START_S = 10.0


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve two buckets with rclone's own server."""
    for name in ("ours", "theirs"):
        (folder / "buckets" / name).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    key = ",".join(KEYS.values())
    command = [program(), "serve", "s3", "--addr", address, "--auth-key", key]
    environment = {"HOME": str(folder), "RCLONE_CONFIG": "/dev/null"}
    with subprocess.Popen(
        [*command, folder / "buckets"], stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            end = time.monotonic() + START_S
            host, _, port = address.partition(":")
            while time.monotonic() < end:
                with suppress(OSError), socket.create_connection((host, int(port))):
                    break
                time.sleep(0.1)
            yield f"http://{address}"
        finally:
            process.kill()


def remote(address: str, bucket: str) -> str:
    """Return a bucket as rclone names it."""
    key, secret = KEYS.values()
    told = f"provider=Other,access_key_id={key},secret_access_key={secret}"
    return f':s3,{told},endpoint="{address}":{bucket}'
