import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from judged import Run, Site

from mirror.formats import ed25519, minisig, sshsig
from mirror.formats.minisig import MiniSignature
from mirror.formats.sshsig import SshSignature

Changed = Callable[[Path], Path]

SEED = bytes(range(32))
ARTICLE = "<p>Ночь. Улица. Фонарь.\n".encode()


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def test_minisign_accepts_every_signed_file_and_shows_its_path(site: Site, run: Run):
    key = minisig.public_line(site.root.minisign)
    for file in site.signed():
        judged = run("minisign", "-Vm", file, "-P", key)

        assert judged.returncode == 0, judged.stderr
        assert f"path={file.relative_to(site.folder)} ".encode() in judged.stdout


def test_minisign_accepts_the_key_file_of_the_site(site: Site, run: Run):
    article = site.articles()[0]

    assert run("minisign", "-Vm", article, "-p", site.folder / "trust/minisign.pub").returncode == 0


def test_minisign_refuses_an_article_with_one_byte_changed(site: Site, run: Run, changed: Changed):
    article = site.articles()[0]
    key, signature = minisig.public_line(site.root.minisign), beside(article, ".minisig")

    assert run("minisign", "-Vm", changed(article), "-x", signature, "-P", key).returncode == 1


def test_minisign_refuses_another_trusted_comment(site: Site, run: Run, tmp_path: Path):
    article = site.articles()[0]
    key = minisig.public_line(site.root.minisign)
    signature = tmp_path / "changed.minisig"
    signature.write_bytes(beside(article, ".minisig").read_bytes().replace(b" leaf=", b" leaf=1"))

    assert run("minisign", "-Vm", article, "-x", signature, "-P", key).returncode == 1


def test_signify_accepts_every_signed_file(site: Site, run: Run):
    key = site.folder / "trust/minisign.pub"
    for file in site.signed():
        signature = beside(file, ".minisig")

        assert run("signify-openbsd", "-V", "-p", key, "-m", file, "-x", signature).returncode == 0


def test_signify_refuses_an_article_with_one_byte_changed(site: Site, run: Run, changed: Changed):
    article = site.articles()[0]
    key, signature = site.folder / "trust/minisign.pub", beside(article, ".minisig")
    judged = run("signify-openbsd", "-V", "-p", key, "-m", changed(article), "-x", signature)

    assert judged.returncode != 0


def ssh_verify(
    site: Site, run: Run, data: bytes, signature: Path, namespace: str = "article@mirror"
):
    signers, origin = site.folder / "trust/allowed_signers", site.root.open.origin
    who = ("-f", signers, "-I", origin, "-n", namespace, "-s", signature)
    return run("ssh-keygen", "-Y", "verify", *who, stdin=data)


def test_ssh_keygen_accepts_every_signed_file(site: Site, run: Run):
    for file in site.signed():
        judged = ssh_verify(site, run, file.read_bytes(), beside(file, ".sig"))

        assert judged.returncode == 0, judged.stderr


def test_ssh_keygen_refuses_an_article_with_one_byte_changed(
    site: Site, run: Run, changed: Changed
):
    article = site.articles()[0]
    other = changed(article).read_bytes()

    assert ssh_verify(site, run, other, beside(article, ".sig")).returncode != 0


def test_ssh_keygen_refuses_the_signature_for_another_purpose(site: Site, run: Run):
    article = site.articles()[0]
    judged = ssh_verify(site, run, article.read_bytes(), beside(article, ".sig"), "git")

    assert judged.returncode != 0


@pytest.fixture
def openssl(site: Site, run: Run, tmp_path: Path) -> Callable[[Path, Path], bool]:
    """Return a function: does OpenSSL accept the 64 bytes in a `.minisig` for a file?"""
    key = tmp_path / "public.pem"
    key.write_bytes(
        Ed25519PublicKey.from_public_bytes(site.root.minisign).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )

    def verify(file: Path, signature: Path) -> bool:
        line = signature.read_bytes().split(b"\n")[1]
        raw = tmp_path / "raw.sig"
        raw.write_bytes(base64.b64decode(line)[10:])
        what = ("-rawin", "-in", file, "-sigfile", raw)
        judged = run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, *what)
        return judged.returncode == 0 and b"Verified Successfully" in judged.stdout

    return verify


def test_openssl_accepts_the_64_bytes_of_every_signed_file(
    site: Site, openssl: Callable[[Path, Path], bool]
):
    for file in site.signed():
        assert openssl(file, beside(file, ".minisig"))


def test_openssl_refuses_an_article_with_one_byte_changed(
    site: Site, openssl: Callable[[Path, Path], bool], changed: Changed
):
    article = site.articles()[0]

    assert not openssl(changed(article), beside(article, ".minisig"))


def test_minisign_writes_byte_for_byte_what_is_written_here(run: Run, tmp_path: Path):
    """Its secret key file, unencrypted: Ed, no KDF, B2, 48 zeros, key id, secret, public, zeros."""
    public = ed25519.public_of(SEED)
    secret = b"Ed\x00\x00B2" + bytes(48) + minisig.key_id(public) + SEED + public + bytes(32)
    key, file = tmp_path / "secret.key", tmp_path / "article"
    key.write_bytes(b"untrusted comment: a key\n" + base64.b64encode(secret) + b"\n")
    file.write_bytes(ARTICLE)
    comments = ("-c", "signature of a/b", "-t", "path=x origin=a/b leaf=1")
    judged = run("minisign", "-S", "-l", "-s", key, "-m", file, *comments)
    here = minisig.sign(SEED, ARTICLE, untrusted=comments[1], trusted=comments[3])
    there = beside(file, ".minisig").read_bytes()

    assert judged.returncode == 0, judged.stderr
    assert bytes(here) == there
    assert MiniSignature.parse(there).accepts(public, ARTICLE)


def test_what_minisign_made_with_its_own_key_is_read(run: Run, tmp_path: Path):
    key, public, file = tmp_path / "secret.key", tmp_path / "public", tmp_path / "article"
    file.write_bytes(ARTICLE)
    run("minisign", "-G", "-W", "-s", key, "-p", public)
    run("minisign", "-S", "-l", "-s", key, "-m", file, "-t", "of an article")
    signature = MiniSignature.parse(beside(file, ".minisig").read_bytes())
    line = base64.b64decode(public.read_bytes().split(b"\n")[1])

    assert signature.trusted == "of an article"
    assert signature.key_id == line[2:10]
    assert ed25519.verify(line[10:], signature.signature, ARTICLE)
    assert not signature.accepts(line[10:], ARTICLE)  # a key id is made of the key here


def test_ssh_keygen_writes_byte_for_byte_what_is_written_here(run: Run, tmp_path: Path):
    key, file = tmp_path / "id_ed25519", tmp_path / "article"
    file.write_bytes(ARTICLE)
    key.touch(mode=0o600)
    key.write_bytes(
        Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    judged = run("ssh-keygen", "-Y", "sign", "-n", sshsig.NAMESPACE, "-f", key, file)
    there = beside(file, ".sig").read_bytes()

    assert judged.returncode == 0, judged.stderr
    assert bytes(sshsig.sign(SEED, ARTICLE)) == there
    assert SshSignature.parse(there).accepts(ed25519.public_of(SEED), ARTICLE)


def test_a_key_that_ssh_keygen_made_is_read(run: Run, tmp_path: Path):
    key, file = tmp_path / "id_ed25519", tmp_path / "article"
    file.write_bytes(ARTICLE)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key)
    run("ssh-keygen", "-Y", "sign", "-n", sshsig.NAMESPACE, "-f", key, file)
    public = sshsig.public_of(beside(key, ".pub").read_text().strip())

    assert SshSignature.parse(beside(file, ".sig").read_bytes()).accepts(public, ARTICLE)
