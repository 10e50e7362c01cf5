"""The samples in the specification are the files that the tests read, and belong together."""

import hashlib
import re

import pytest
from formats_inputs import FOLDER, ROOT, VALID

from mirror.formats import (
    checkpoint,
    ed25519,
    index,
    minisig,
    note,
    paths,
    proof,
    record,
    root,
    sshsig,
    tlog,
    url,
)
from mirror.formats.checkpoint import Checkpoint
from mirror.formats.index import Index, Item, Node, VoidItem
from mirror.formats.minisig import MiniSignature
from mirror.formats.note import Note
from mirror.formats.proof import Proof
from mirror.formats.record import Doc
from mirror.formats.root import Root, key_id
from mirror.formats.sshsig import SshSignature
from mirror.formats.url import article_id

README = (ROOT / "mirror" / "formats" / "README.md").read_text()
SAMPLES = re.findall(r"<!-- (tests/data/formats/\S+) -->\n```\n(.*?)\n```\n", README, re.DOTALL)
ADDRESS = "HTTP://Times.Example:80/a-title?utm_source=rss#top"


def sample(format_: str) -> bytes:
    return (FOLDER / format_ / VALID).read_bytes()


@pytest.mark.parametrize(("path", "shown"), SAMPLES, ids=[path for path, _ in SAMPLES])
def test_a_sample_is_the_file_that_it_names(path: str, shown: str):
    assert shown == (ROOT / path).read_text().removesuffix("\n")


def test_every_textual_format_has_a_sample():
    shown = {path.split("/")[-2] for path, _ in SAMPLES}

    others = {"bundle", "page", "root", "tile", "car", "cid", "folder"}

    assert shown | others == {each.name for each in FOLDER.iterdir()}


def test_the_address_in_the_text_leads_to_the_id_and_the_path_in_the_text():
    id_ = article_id(ADDRESS)

    assert f"`{ADDRESS}`" in README
    assert f"`{id_.hex()}`" in README
    assert f"`{paths.revision_path(paths.short_id(id_), 1)}`" in README


def test_the_samples_verify_from_the_root_to_the_page():
    pinned, page, shown = Root.parse(sample("root")), sample("page"), Proof.parse(sample("proof"))
    people, log = pinned.roles["root"].keys, pinned.open
    signed = Note.parse(shown.checkpoint)
    point = Checkpoint.parse(signed.text)
    leaf = Note.parse(shown.record)
    doc = record.parse(leaf.text)
    keys = (log.log, log.clock, log.cosigners[0])

    assert all(
        ed25519.verify(public, signature, pinned.signed)
        for (_, signature), public in zip(pinned.signatures, people, strict=False)
    )
    assert [id_ for id_, _ in pinned.signatures] == [key_id(key) for key in people[:2]]
    assert shown.checkpoint == sample("note")
    assert all(
        key.accepts(signed.text, each.blob)
        for key, each in zip(keys, signed.signatures, strict=True)
    )
    assert point.root == tlog.root_from_inclusion(
        tlog.leaf_hash(shown.record), shown.leaf, point.size, shown.hashes
    )
    assert log.articles.accepts(leaf.text, leaf.signatures[0].blob)
    assert leaf.text.encode() == sample("record")
    assert isinstance(doc, Doc)
    assert (doc.length, doc.sha256) == (len(page), hashlib.sha256(page).digest())
    assert doc.id == article_id(ADDRESS)
    assert MiniSignature.parse(sample("minisig")).accepts(pinned.minisign, page)
    assert SshSignature.parse(sample("sshsig")).accepts(pinned.ssh, page)
    assert str(log.log).encode() == sample("vkey")


def test_the_sample_bundle_tile_and_index_are_of_the_same_log():
    leaves = tlog.decode_bundle(sample("bundle"))
    records = [record.parse(Note.parse(leaf).text) for leaf in leaves]
    document, node = Index.parse(sample("index")), Node.parse(sample("node"))
    withdrawn, shown = node.items

    assert tlog.hashes(sample("tile")) == [tlog.leaf_hash(leaf) for leaf in leaves]
    assert str(Checkpoint(document.origin, 4, tlog.root_of(tlog.hashes(sample("tile"))))) == (
        Note.parse(sample("note")).text
    )
    assert [type(each).__name__ for each in records] == ["Doc", "Doc", "Void", "Doc"]
    assert records[3].sha256 == hashlib.sha256(sample("index")).digest()
    assert document.catalogue == (
        index.Ref(len(sample("node")), hashlib.sha256(sample("node")).digest()),
    )
    assert document.newest == (shown,)
    assert isinstance(shown, Item)
    assert (shown.id, shown.leaf) == (paths.short_id(records[1].id), 1)
    assert isinstance(withdrawn, VoidItem)
    assert (withdrawn.id, withdrawn.leaf) == (paths.short_id(records[2].id), 2)


def test_every_limit_in_the_text_is_the_one_in_the_code():
    limits = (
        *(root.MAX_BYTES, checkpoint.MAX_BYTES, proof.MAX_BYTES, record.MAX_BYTES, index.MAX_BYTES),
        *(minisig.MAX_BYTES, sshsig.MAX_BYTES, url.MAX_URL),
    )

    assert all(f"{limit:,}" in README for limit in limits)
    assert minisig.MAX_BYTES == sshsig.MAX_BYTES
    assert f"{note.MAX_SIGNATURES} signature lines" in README
    assert f"{tlog.MAX_PROOF} proof hashes" in README
    assert f"at most {index.MAX_TITLE} characters" in README
    assert f"at most {index.MAX_TITLE_BYTES} bytes" in README
    assert f"at most {index.MAX_MIRRORS};" in README
    assert f"no list of more than {root.MAX_ENTRIES}" in README
