"""Sends one message to addresses with apprise, in a process of its own that can be killed.

Reads JSON, `{"title": …, "body": …, "addresses": […]}`, and writes a line of JSON for each address
as it is done: its number, the kind of service and what came of it. No line has an address in it.
It imports nothing of this program, so that it needs no more than an interpreter and apprise.
"""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import apprise

AT_ONCE = 8
ONE_S = 20.0  # for one address: mail servers that look strangers up take ten
_CODE = re.compile(r"\berror=([0-9]{3})\b")

# Nothing that others would fetch, keep or follow comes with a message: no logo of the library's, no
# cache on the disk, no second address.
ASSET = apprise.AppriseAsset(
    app_id="Mirror",
    app_desc="",
    app_url="",
    image_url_mask="",
    image_url_logo="",
    image_path_mask="",
    http_redirects=False,
    pgp_autogen=False,
    pem_autogen=False,
    storage_mode=apprise.PersistentStoreMode.MEMORY,
    service_timeout=ONE_S,
    timezone="UTC",
    language="en",
    allow_templates=False,
)


def send(address: str, title: str, body: str) -> tuple[str, str]:
    """Return the kind of service, and why it was not told, or nothing."""
    kind = re.match(r"[a-z0-9]{1,20}(?=://)", address)
    service = apprise.Apprise(asset=ASSET)
    if not kind or not service.add(address):
        return kind[0] if kind else "?", "not an address that apprise knows"
    result = service.notify(body=body, title=title, body_format="text", timeout=ONE_S)
    if result:
        return kind[0], ""
    # Of the library's words only a number: they may repeat the address.
    words = " ".join(str(entry.message) for each in result for entry in each.logs())
    code = _CODE.search(words)
    return kind[0], f"refused: {code[1]}" if code else "not reached, or refused"


def main() -> None:
    """Do what the input says."""
    told = json.load(sys.stdin)
    numbered = list(enumerate(told["addresses"]))

    def one(each: tuple[int, str]) -> None:
        kind, problem = send(each[1], told["title"], told["body"])
        sys.stdout.write(json.dumps([each[0], kind, problem]) + "\n")
        sys.stdout.flush()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, numbered))


if __name__ == "__main__":
    main()
