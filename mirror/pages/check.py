"""How to check a page, in plain words: what a signature proves, what not, and with which tools."""

import base64
import hashlib
from html import escape

from mirror.formats import minisig, sshsig
from mirror.formats.root import Root
from mirror.pages.frame import Frame

TRUST_FILES = ("minisign.pub", "allowed_signers", "log.vkey", "policy")
COMMANDS = (
    "mirror verify 1.html --root {root}.root.json",
    "minisign -Vm 1.html -p minisign.pub",
    "signify-openbsd -V -p minisign.pub -m 1.html -x 1.html.minisig",
    "ssh-keygen -Y verify -f allowed_signers -I {origin} -n article@mirror -s 1.html.sig < 1.html",
)
"""With each tool that a reader may have; only the first also asks the log."""


def check_page(frame: Frame, root: Root) -> bytes:
    """Return `check.html`, with the keys that `root` names in full."""
    words, title = frame.words, frame.common.how_to_check
    origin = frame.masthead.origin
    lines = (line.format(root=root.version, origin=origin) for line in COMMANDS)
    commands = "".join(f"<li><code>{escape(line, quote=False)}</code></li>" for line in lines)
    how = words.how.format(file='<bdi dir="ltr">1.html</bdi>')
    sections = (
        (words.proves_title, f"<p>{words.proves}</p>"),
        (words.not_title, f"<p>{words.not_proven}</p>"),
        (words.commands_title, f'<p>{how}</p><ol dir="ltr">{commands}</ol>'),
        (words.keys_title, _keys(root)),
        (words.phone_title, f"<p>{words.phone}</p>"),
        (words.provider_title, f"<p>{words.provider}</p>"),
    )
    text = "".join(f"<h2>{heading}</h2>{what}" for heading, what in sections)
    body = (
        f'<main class="t"><h1>{title}</h1><p><strong>{words.no_voucher}</strong></p>{text}</main>'
    )
    return frame.page(title, body)


def _keys(root: Root) -> str:
    keys = (
        ("minisign, signify", minisig.public_line(root.minisign)),
        ("ssh-keygen", sshsig.public_line(root.ssh)),
        ("ssh-keygen -l", fingerprint(root.ssh)),
        ("log", str(root.open.log)),
    )
    lines = "".join(
        f"<dt>{name}</dt><dd><code>{escape(key, quote=False)}</code></dd>" for name, key in keys
    )
    files = "".join(
        f'<li><a href="trust/{name}"><bdi dir="ltr">{name}</bdi></a></li>'
        for name in (f"{root.version}.root.json", *TRUST_FILES)
    )
    return f'<dl dir="ltr">{lines}</dl><ul class="l">{files}</ul>'


def fingerprint(public: bytes) -> str:
    """Return the SSH key's fingerprint as `ssh-keygen -l` shows it."""
    blob = base64.b64decode(sshsig.public_line(public).split(" ")[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
