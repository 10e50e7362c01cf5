"""What costs less over WebDAV than rclone's own way: to read a file, and to make its folders.

To read one, rclone looks at it first, and then asks for it. It is a file of a web server, too, and
that is one request. Above a file in a new folder, rclone looks for the first folder that is there,
from below, two requests each, and this for each of the files that it sends at once: an article in
a new folder is thirteen. From above it is one each.
"""

import base64
import json
from collections.abc import Iterable, Mapping

KIND = "webdav"
FEW = 6  # folders: more are made four at once, as their files are sent; and each may be refused
_FIRST = "/1.html"  # an article's folder is made for its first revision
_PLAIN = {"type", "url", "vendor", "user", "pass", "ca_cert"}
_LOGS_IN_ELSEWHERE = "sharepoint"  # of a vendor


def reading(options: Mapping[str, str], secret: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a remote by which files of this place are read, as a browser does.

    Empty where that may not do: for another kind, and where more is told than a name and password.
    """
    if options.get("type") != KIND or (options.keys() | secret.keys()) - _PLAIN:
        return {}
    if options.get("vendor", "").startswith(_LOGS_IN_ELSEWHERE):
        return {}
    told = {"type": "http", "url": options.get("url", ""), "no_head": "true"}
    name, password = secret.get("user") or options.get("user", ""), secret.get("pass", "")
    if name or password:
        shown = base64.b64encode(f"{name}:{password}".encode()).decode()
        told["headers"] = f"Authorization,Basic {shown}"
    return told


def is_missing(error: str) -> bool:
    """Return whether an error of that remote says that there is no such file."""
    return "HTTP Error: 404" in error or "HTTP Error: 410" in error


def folders(paths: Iterable[str], *, known: Iterable[str]) -> list[str]:
    """Return the folders to be made for what is put, from above; none if they are many."""
    parents = {each for path in paths if path.endswith(_FIRST) for each in above(path)}
    new = sorted(parents.difference(known))
    return new if len(new) <= FEW else []


def above(path: str) -> list[str]:
    """Return the folders that a file lies in."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def making(root: str, new: Iterable[str]) -> tuple[str, ...]:
    """Return the words by which one run of rclone makes folders, one after another."""
    each = [{"_path": "operations/mkdir", "fs": root, "remote": folder} for folder in new]
    told = json.dumps({"concurrency": 1, "inputs": each})
    return ("rc", "--loopback", "job/batch", "--json", told)


def failure(output: bytes) -> str:
    """Return why a folder was not made, "" if all were."""
    try:
        said = [each.get("error") for each in json.loads(output)["results"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "rclone gave no answer"
    return next((str(each) for each in said if each), "")
