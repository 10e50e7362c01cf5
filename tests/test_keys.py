"""The online secrets: files that only their owner reads, and one key for each purpose."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from fakes import NOW, ORIGIN, keys

from mirror.errors import SettingsError
from mirror.formats import minisig, sshsig
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.note import Note, timestamp
from mirror.keys import NAMES, Keys, read_secret, write_secret

CHECKPOINT = Checkpoint(ORIGIN, 3, bytes(32))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_the_same_after_saving(tmp_path: Path):
    made = Keys.make(ORIGIN)
    made.save(tmp_path / "keys")

    assert Keys.load(tmp_path / "keys", origin=ORIGIN) == made


def test_only_the_owner_can_read_them(tmp_path: Path):
    keys().save(tmp_path / "keys")

    assert mode(tmp_path / "keys") == 0o700
    assert {each.name for each in (tmp_path / "keys").iterdir()} == {f"{n}.pem" for n in NAMES}
    assert {mode(each) for each in (tmp_path / "keys").iterdir()} == {0o600}


def test_nothing_is_ever_written_over_a_secret(tmp_path: Path):
    write_secret(tmp_path / "root.pem", b"1" * 32)
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "root.pem", b"2" * 32)
    keys().save(tmp_path / "keys")
    with pytest.raises(FileExistsError):
        keys(salt="other").save(tmp_path / "keys")

    assert read_secret(tmp_path / "root.pem") == b"1" * 32
    assert Keys.load(tmp_path / "keys", origin=ORIGIN) == keys()


def test_each_purpose_has_a_key_of_its_own():
    made = Keys.make(ORIGIN)
    two = Keys.make(ORIGIN)

    assert len({made.public(name) for name in NAMES} | {two.public(name) for name in NAMES}) == 10


def test_no_secret_is_in_what_a_program_prints():
    shown = repr(keys())

    assert shown == f"Keys('{ORIGIN}')"
    assert all(seed.hex() not in shown for seed in keys().seeds.values())


def test_openssl_reads_the_files(tmp_path: Path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed (apt install openssl)")
    write_secret(tmp_path / "key.pem", b"1" * 32)
    read = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key.pem", "-noout", "-text"], capture_output=True
    )

    assert b"ED25519 Private-Key" in read.stdout


def x25519() -> bytes:
    key = X25519PrivateKey.from_private_bytes(b"1" * 32)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encrypted(tmp_path: Path) -> bytes:
    write_secret(tmp_path / "plain.pem", b"1" * 32)
    key = load_pem_private_key((tmp_path / "plain.pem").read_bytes(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "garbage", "x25519", "encrypted"])
def test_a_file_without_a_usable_secret_is_a_settings_error_that_names_it(
    tmp_path: Path, kind: str
):
    path = tmp_path / "log.pem"
    contents = {"empty": b"", "garbage": b"\xff" * 99, "x25519": x25519()}
    if kind == "folder":
        path.mkdir()
    elif kind == "encrypted":
        path.write_bytes(encrypted(tmp_path))
    elif kind != "missing":
        path.write_bytes(contents[kind])
    with pytest.raises(SettingsError, match=r"log\.pem: (no readable|not an Ed25519) secret"):
        read_secret(path)


def test_a_checkpoint_is_signed_by_the_log_and_its_clock():
    mine = keys()
    note = Note.parse(mine.sign_checkpoint(CHECKPOINT, time=NOW))
    log, clock = note.signatures

    assert mine.log.accepts(note.text, log.blob)
    assert mine.clock.accepts(note.text, clock.blob)
    assert timestamp(clock.blob) == NOW
    assert not mine.articles.accepts(note.text, log.blob)


def test_a_file_is_signed_for_minisign_and_ssh_with_its_path_in_words():
    mine, path = keys(), "a/b/c/d/e/1.html"
    files = mine.sign_file(path, b"page", leaf=7, time=NOW)
    mini = minisig.MiniSignature.parse(files[f"{path}.minisig"])

    assert set(files) == {f"{path}.minisig", f"{path}.sig"}
    assert mini.trusted == f"path={path} origin={ORIGIN} leaf=7 time=2026-11-18T11:06:40Z"
    assert mini.accepts(mine.public("minisign"), b"page")
    assert not mini.accepts(mine.public("minisign"), b"Page")
    assert sshsig.SshSignature.parse(files[f"{path}.sig"]).accepts(mine.public("ssh"), b"page")


def test_the_comment_of_a_head_says_until_when():
    files = keys().sign_file("index.html", b"x", leaf=1, time=NOW, more=" size=2 expires=x")

    assert minisig.MiniSignature.parse(files["index.html.minisig"]).trusted.endswith(
        "Z size=2 expires=x"
    )
