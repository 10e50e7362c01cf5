"""The chain of roots: from the one that a verifier pinned to the newest that it leads to.

Formats README, sections 7 and 8, steps R1 and R3 to R5. Whoever calls asks several mirrors for the
next one (R2) and stores each before it asks on (R6). Everything raises `VerifyError` and nothing
else; a root that is refused is ignored, the one before it stays in force.
"""

from mirror.errors import FormatError, VerifyError
from mirror.formats import ed25519
from mirror.formats.root import Role, Root, key_id

MAX_ROOTS = 256  # of a chain followed at once (R6): an endless one is an attack


def pinned_root(data: bytes) -> Root:
    """Return the root that a verifier starts from (R1): its own signers must have signed it.

    Not checked here: that it is the right one. Whoever pins it got it from somewhere.
    """
    root = _parsed(data)
    _check_signed(root, root.roles["root"])
    return root


def next_root(root: Root, data: bytes) -> Root:
    """Return the root in `data` if it may follow `root`.

    Not checked here: its expiry, which refuses indexes (`listing`), never a root or an article.
    """
    new = _parsed(data)
    if new.version != root.version + 1:  # R3
        raise VerifyError("malformed", f"root: version {new.version} after {root.version}")
    for role in (root.roles["root"], new.roles["root"]):
        _check_signed(new, role)
    _check_follows(root, new)
    return new


def _check_signed(root: Root, role: Role) -> None:
    keys, signed = {key_id(key): key for key in role.keys}, root.signed
    signers = {
        keys[id_]
        for id_, signature in root.signatures
        if id_ in keys and ed25519.verify(keys[id_], signature, signed)
    }
    if len(signers) < role.threshold:  # R4
        found = f"{len(signers)} of the {role.threshold} signatures it needs"
        raise VerifyError("bad-signature", f"root {root.version}: {found}")


def _check_follows(root: Root, new: Root) -> None:
    """R5: the rules of section 7 that one root alone cannot break."""
    logs = {log.origin: log for log in new.logs}
    for old in root.logs:
        log = logs.get(old.origin)
        if log is None:
            raise VerifyError("malformed", f"root {new.version}: drops the log {old.origin}")
        if old.final and log != old:
            raise VerifyError("malformed", f"root {new.version}: alters closed {old.origin}")
        if (log.log, log.articles, log.clock) != (old.log, old.articles, old.clock):
            raise VerifyError("malformed", f"root {new.version}: other keys for {old.origin}")


def _parsed(data: bytes) -> Root:
    try:
        return Root.parse(data)
    except FormatError as e:
        raise VerifyError("malformed", str(e)) from e
