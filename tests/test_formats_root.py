import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    NUMBERS,
    ORIGINS,
    SIGNATURES,
    TIMES,
    VALID,
    assert_strict,
    hostile_files,
    mutated,
    mutated_json,
)
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import ed25519, root
from mirror.formats.note import COSIGNATURE, ED25519, Key
from mirror.formats.root import Final, Log, Role, Root

SEEDS = [bytes([i]) * 32 for i in range(1, 10)]
PUBLICS = [ed25519.public_of(seed) for seed in SEEDS]


def log(
    origin: str, publics: list[bytes], cosigners: int = 0, quorum: int = 0, end: Final | None = None
) -> Log:
    articles, key, clock, *others = publics
    return Log(
        origin,
        Key(origin, ED25519, key),
        Key(f"{origin}/articles", ED25519, articles),
        Key(f"{origin}/clock", COSIGNATURE, clock),
        tuple(Key(f"cosigner.example/{i}", COSIGNATURE, others[i]) for i in range(cosigners)),
        quorum,
        end,
    )


def roles(signers: list[bytes], threshold: int, log: Log) -> dict[str, Role]:
    keys = {"snapshot": log.log, "targets": log.articles, "timestamp": log.clock}
    single = {name: Role((key.public,), 1) for name, key in keys.items()}
    return {"root": Role(tuple(signers), threshold), **single}


OPEN = log("mirror.example/times", PUBLICS[:5], 2, 1)
ROOT = Root(
    version=1,
    expires=1_900_000_000,
    roles=roles(PUBLICS[5:8], 2, OPEN),
    logs=(OPEN,),
    minisign=PUBLICS[8],
    ssh=PUBLICS[8],
    max_age_s=259_200,
    mirrors=("https://mirror.example/", "http://abc.onion"),
)
SIGNED = dataclasses.replace(ROOT, signatures=root.sign(ROOT, SEEDS[5:7]))
CLOSED = log("mirror.example/old", PUBLICS[:3], end=Final(9, bytes(32)))
BOTH = dataclasses.replace(SIGNED, logs=(CLOSED, OPEN))
BYTES = st.sampled_from([bytes(SIGNED), bytes(BOTH)])


@st.composite
def logs(draw: st.DrawFn, origin: str, final: bool) -> Log:
    publics = draw(st.lists(HASHES, min_size=5, max_size=5, unique=True))
    cosigners = draw(st.integers(0, 2))
    quorum = draw(st.integers(0, cosigners))
    end = Final(draw(NUMBERS), draw(HASHES)) if final else None
    return log(origin, publics, cosigners, quorum, end)


@st.composite
def roots(draw: st.DrawFn) -> Root:
    origins = draw(st.lists(ORIGINS, min_size=1, max_size=3, unique=True))
    current = draw(logs(origins[0], False))
    signers = draw(st.lists(HASHES, min_size=1, max_size=3, unique=True))
    texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=10)
    ids = HASHES.map(bytes.hex)
    return Root(
        draw(NUMBERS.filter(bool)),
        draw(TIMES),
        roles(signers, draw(st.integers(1, len(signers))), current),
        tuple(draw(st.permutations([current, *(draw(logs(o, True)) for o in origins[1:])]))),
        *(draw(HASHES), draw(HASHES), draw(NUMBERS)),
        tuple(draw(st.lists(HASHES, max_size=2))),
        tuple(draw(st.lists(texts, max_size=2))),
        tuple(draw(st.lists(st.tuples(ids, SIGNATURES), max_size=3))),
    )


@given(roots())
def test_a_root_reads_back_what_it_writes(each: Root):
    assert Root.parse(bytes(each)) == each


@given(mutated(BYTES))
def test_a_root_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(Root.parse, bytes, data)


@given(mutated_json(BYTES))
def test_a_root_with_a_wrong_value_raises_only_format_error(data: bytes):
    assert_strict(Root.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_root(data: bytes):
    assert_strict(Root.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("root"), ids=lambda file: file.name)
def test_a_hostile_root_is_refused(file: Path):
    assert Root.parse((FOLDER / "root" / VALID).read_bytes())

    with pytest.raises(FormatError):
        Root.parse(file.read_bytes())


def test_a_root_that_is_too_large_is_refused_unread():
    with pytest.raises(FormatError, match=f"more than {root.MAX_BYTES} bytes"):
        Root.parse(b"[" * (root.MAX_BYTES + 1))


def test_a_signature_is_of_the_signed_part_only():
    for (id_, signature), public in zip(SIGNED.signatures, PUBLICS[5:7], strict=True):
        assert id_ == root.key_id(public)
        assert ed25519.verify(public, signature, SIGNED.signed)
    assert ROOT.signed == SIGNED.signed
    assert b'"signed":' + SIGNED.signed + b"}" in bytes(SIGNED)


def test_the_open_log_is_the_one_without_an_end():
    read = Root.parse(bytes(BOTH))

    assert read.open == BOTH.open == OPEN
    assert read.logs[0].final == Final(9, bytes(32))


def test_a_key_is_named_by_the_hash_of_its_canonical_json():
    """The vector is of securesystemslib, which python-tuf names keys with."""
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    canonical = f'{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}'

    assert root.key_id(bytes.fromhex(public)) == hashlib.sha256(canonical.encode()).hexdigest()


def test_text_is_written_with_only_quotes_and_backslashes_escaped():
    quoted = dataclasses.replace(ROOT, mirrors=('a"b\\c', "é\u2028"))

    assert '"mirrors":["a\\"b\\\\c","é\u2028"]'.encode() in bytes(quoted)
    assert Root.parse(bytes(quoted)) == quoted


def test_text_without_a_utf_8_form_is_not_written():
    with pytest.raises(FormatError, match="surrogate"):
        bytes(dataclasses.replace(ROOT, mirrors=("\ud800",)))


def test_a_value_that_canonical_json_has_no_form_for_is_a_bug():
    with pytest.raises(TypeError, match="NoneType"):
        bytes(dataclasses.replace(ROOT, max_age_s=None))


def test_the_policy_names_the_log_its_cosigners_and_the_quorum():
    assert root.policy(OPEN).decode() == (
        f"log {OPEN.log}\n"
        f"witness cosigner-1 {OPEN.cosigners[0]}\n"
        f"witness cosigner-2 {OPEN.cosigners[1]}\n"
        "group cosigners 1 cosigner-1 cosigner-2\n"
        "quorum cosigners\n"
    )
    assert root.policy(log("a", PUBLICS[:3])).decode().endswith("\nquorum none\n")


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "UPPER"},
        {"origin": "another"},
        {"log": Key(OPEN.origin, COSIGNATURE, PUBLICS[0])},
        {"articles": Key("other/articles", ED25519, PUBLICS[0])},
        {"clock": Key(f"{OPEN.origin}/clock", ED25519, PUBLICS[0])},
        {"cosigners": (Key("c", ED25519, PUBLICS[7]),)},
        {"cosigners": (Key("c", COSIGNATURE, OPEN.clock.public),)},
        {"cosigners": (Key("c", COSIGNATURE, PUBLICS[7]), Key("d", COSIGNATURE, PUBLICS[7]))},
        {"quorum": 3},
        {"quorum": -1},
    ],
)
def test_a_log_that_breaks_a_rule_is_not_made(change: dict[str, Any]):
    with pytest.raises(FormatError):
        dataclasses.replace(OPEN, **change)


def edited(*path: str, value: object) -> bytes:
    document: Any = json.loads(bytes(SIGNED))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return root._canonical(document)


LOG = json.loads(bytes(SIGNED))["signed"]["x-mirror"]["logs"][0]
FINAL = {"root": "A" * 43 + "=", "size": 1}
ID = root.key_id(PUBLICS[5])
KEYS_OF_ROOT = [root.key_id(public) for public in PUBLICS[5:8]]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("signed", "_type"), "targets", "not a root"),
        (("signed", "version"), 0, "not a root"),
        (("signed", "version"), True, "not a root"),
        (("signed", "version"), "1", "not a root"),
        (("signed", "x-mirror", "max_age_s"), -1, "not a root"),
        (("signed", "expires"), "2030-01-01", "time"),
        (("signed", "expires"), 5, "another type"),
        (("signed", "spec_version"), "1.0.0", "canonical"),
        (("signed", "consistent_snapshot"), False, "canonical"),
        (("signed", "keys"), [], "another type"),
        (("signed", "keys", "0" * 64), {"keytype": "rsa"}, "exactly the keys"),
        (("signed", "keys", ID, "keytype"), "rsa", "canonical"),
        (("signed", "keys", ID, "keyval", "public"), "00", "hex"),
        (("signed", "roles", "root", "threshold"), 0, "threshold 0 of 3"),
        (("signed", "roles", "root", "threshold"), 4, "threshold 4 of 3"),
        (("signed", "roles", "root", "threshold"), "2", "unknown or stands twice"),
        (("signed", "roles", "root", "keyids"), [ID, ID], "stands twice"),
        (("signed", "roles", "root", "keyids"), ["0" * 64], "unknown"),
        (("signed", "roles", "root", "keyids"), [], "threshold 2 of 0"),
        (("signed", "roles", "root", "keyids"), [[]], "another type"),
        (("signed", "roles", "targets", "keyids"), KEYS_OF_ROOT[:1], "role targets is not"),
        (("signed", "roles", "snapshot", "keyids"), KEYS_OF_ROOT[:1], "role snapshot is not"),
        (("signed", "roles", "timestamp", "keyids"), KEYS_OF_ROOT[:1], "role timestamp is not"),
        (("signed", "x-mirror", "logs"), [], "exactly one log"),
        (("signed", "x-mirror", "logs"), [LOG, LOG], "exactly one log"),
        (("signed", "x-mirror", "logs"), [LOG | {"final": FINAL}], "exactly one log"),
        (("signed", "x-mirror", "logs"), [LOG, LOG | {"final": FINAL}], "origin stands twice"),
        (("signed", "x-mirror", "logs"), [LOG | {"final": FINAL | {"size": -1}}], "a size"),
        (("signed", "x-mirror", "logs"), [LOG | {"final": {}}], "exactly the keys"),
        (("signed", "x-mirror", "logs"), [LOG | {"quorum": "1"}], "a quorum"),
        (("signed", "x-mirror", "logs"), [LOG | {"log": 5}], "another type"),
        (("signed", "x-mirror", "logs"), [LOG | {"log": "a+b+c"}], "base64"),
        (("signed", "x-mirror", "logs"), "none", "a list"),
        (("signed", "x-mirror", "mirrors"), ["a"] * 65, "a list of at most 64"),
        (("signed", "x-mirror", "mirrors"), [1], "a text"),
        (("signed", "x-mirror", "code"), ["00"], "hex"),
        (("signed", "x-mirror", "minisign"), "RW", "base64"),
        (("signed", "x-mirror", "minisign"), 5, "another type"),
        (("signed", "x-mirror", "ssh"), "ssh-rsa AAAA", "ssh key"),
        (("signed", "x-mirror", "new"), 1, "exactly the keys"),
        (("signatures",), {}, "a list"),
        (("signatures",), [{"keyid": "x", "sig": "00"}], "hex"),
        (("signatures",), [{"keyid": "0" * 64, "sig": "00"}], "hex"),
    ],
)
def test_a_root_that_breaks_a_rule_is_refused(path: tuple[str, ...], value: object, reason: str):
    with pytest.raises(FormatError, match=reason):
        Root.parse(edited(*path, value=value))


def test_the_files_for_other_tools_hold_the_keys_that_the_root_names():
    trusted = Root.parse((Path(__file__).parent / "data/formats/root/valid").read_bytes())
    files = root.trust_files(trusted)
    public = root.minisig.public_line(trusted.minisign)

    assert files.pop(f"{trusted.version}.root.json") == bytes(trusted)
    assert files.pop("policy") == root.policy(trusted.open)
    assert files.pop("minisign.pub").decode().splitlines()[1] == public
    assert root.sshsig.public_line(trusted.ssh).encode() in files.pop("allowed_signers")
    assert files == {"log.vkey": f"{trusted.open.log}\n".encode()}
