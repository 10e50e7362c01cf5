import base64
import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from judged import Run, Site
from pymerkle import InclusionProof, InmemoryTree, verify_consistency, verify_inclusion
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as OutsideCheckpoint
from tlog_scales.tlog import ConsistencyProof
from tlog_scales.tlog import InclusionProof as OutsideInclusionProof

from mirror.formats import paths, tlog
from mirror.formats.note import Note
from mirror.formats.proof import Proof


def keys(site: Site) -> list[str]:
    """Return the vkeys whose lines a checkpoint carries: the log's, the clock's, the cosigners'."""
    log = site.root.open
    signed = {(each.name, each.id) for each in site.note.signatures}
    return [
        str(key) for key in (log.log, log.clock, *log.cosigners) if (key.name, key.id) in signed
    ]


# tlog-scales


@pytest.fixture
def reader(site: Site) -> TilesReader:
    reader = TilesReader(LocalBackend(site.folder))
    reader.get_checkpoint()
    return reader


def test_tlog_scales_accepts_every_signature_of_the_checkpoint(site: Site):
    checkpoint = OutsideCheckpoint.from_text((site.folder / "checkpoint").read_text())
    trusted = keys(site)

    assert len(trusted) == len(site.note.signatures) >= 2
    assert checkpoint.serialize().encode() == bytes(site.note)
    for vkey in trusted:
        checkpoint.verify(Vkey.from_string(vkey))


@pytest.mark.parametrize(
    "change",
    [
        lambda each: dataclasses.replace(each, size=each.size + 1),
        lambda each: dataclasses.replace(each, root_hash=bytes(32)),
        lambda each: dataclasses.replace(each, origin=each.origin + "x"),
    ],
    ids=["size", "root", "origin"],
)
def test_tlog_scales_refuses_another_text(
    site: Site, change: Callable[[OutsideCheckpoint], OutsideCheckpoint]
):
    other = change(OutsideCheckpoint.from_text((site.folder / "checkpoint").read_text()))
    for vkey in keys(site):
        with pytest.raises(InvalidSignature):
            other.verify(Vkey.from_string(vkey))


def test_tlog_scales_finds_the_checkpoints_root_in_the_tiles(site: Site, reader: TilesReader):
    assert reader.calculate_root_hash() == site.checkpoint.root


def test_tlog_scales_reads_every_record(site: Site, reader: TilesReader):
    assert [reader.get_entry(i) for i in range(site.checkpoint.size)] == site.records


def test_tlog_scales_makes_the_same_inclusion_proofs_and_accepts_them(
    site: Site, reader: TilesReader
):
    size = site.checkpoint.size
    for leaf, record in enumerate(site.records):
        hashes = tlog.inclusion_proof(site.read_tile, leaf, size)

        assert reader.get_inclusion_proof(leaf, size).node_hashes == hashes
        OutsideInclusionProof(leaf, size, hashes).check(
            tlog.leaf_hash(record), site.checkpoint.root
        )


def test_tlog_scales_makes_the_same_consistency_proofs_and_accepts_them(
    site: Site, reader: TilesReader
):
    size = site.checkpoint.size
    for old in site.sizes():
        hashes = tlog.consistency_proof(site.read_tile, old, size)

        assert reader.get_consistency_proof(old, size).node_hashes == hashes
        ConsistencyProof(old, size, hashes).check(site.old_root(old), site.checkpoint.root)


def test_tlog_scales_accepts_the_checkpoint_and_the_path_in_every_proof_file(site: Site):
    files = sorted(site.folder.rglob(f"*{paths.PROOF}"))

    assert site.folder / paths.INDEX_PROOF in files
    for file in files:
        proof = Proof.parse(file.read_bytes())
        checkpoint = OutsideCheckpoint.from_text(proof.checkpoint.decode())
        checkpoint.verify(Vkey.from_string(str(site.root.open.log)))
        OutsideInclusionProof(proof.leaf, checkpoint.size, list(proof.hashes)).check(
            tlog.leaf_hash(proof.record), checkpoint.root_hash
        )


# pymerkle


@pytest.fixture
def tree(site: Site) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(site.records)
    return tree


def test_pymerkle_gives_the_same_roots(site: Site, tree: InmemoryTree):
    assert tree.get_root(site.checkpoint.size) == site.checkpoint.root
    for size in site.sizes():
        assert tree.get_root(size) == tlog.range_root(site.read_tile, 0, size)


def test_pymerkle_accepts_inclusion_proofs(site: Site, tree: InmemoryTree):
    size, root = site.checkpoint.size, site.checkpoint.root
    for leaf, record in enumerate(site.records):
        theirs = tree.prove_inclusion(leaf + 1, size)
        path = [tlog.leaf_hash(record), *tlog.inclusion_proof(site.read_tile, leaf, size)]
        ours = InclusionProof("sha256", True, size, leaf + 1, theirs.rule, path)

        assert theirs.path == path
        verify_inclusion(path[0], root, ours, index=leaf + 1, size=size)


def test_pymerkle_shows_that_the_tree_only_grew(site: Site, tree: InmemoryTree):
    size = site.checkpoint.size
    for old in site.sizes():
        proof = tree.prove_consistency(old, size)
        verify_consistency(
            tlog.range_root(site.read_tile, 0, old), site.checkpoint.root, proof, old, size
        )


# Go, golang.org/x/mod/sumdb


def go_judges(judge: Path, site: Site, folder: Path) -> "subprocess.CompletedProcess[bytes]":
    log, articles, *cosigners = (
        str(site.root.open.log),
        str(site.root.open.articles),
        *keys(site)[1:],
    )
    command = [str(judge), "site", str(folder), log, articles, *cosigners]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def in_base64(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in hashes]


def test_go_accepts_checkpoint_tiles_records_and_proofs_and_makes_the_same(judge: Path, site: Site):
    judged = go_judges(judge, site, site.folder)
    assert judged.returncode == 0, judged.stderr.decode()
    found = json.loads(judged.stdout)
    size = site.checkpoint.size
    inclusion = {
        str(leaf): in_base64(tlog.inclusion_proof(site.read_tile, leaf, size))
        for leaf in range(size)
    }
    consistency = {
        str(old): in_base64(tlog.consistency_proof(site.read_tile, old, size))
        for old in range(1, size + 1)
    }

    assert (found["origin"], found["size"], found["records"]) == (
        site.checkpoint.origin,
        size,
        size,
    )
    assert sorted(found["signed_by"]) == sorted(each.name for each in site.note.signatures)
    assert found["inclusion"] == inclusion
    assert found["consistency"] == consistency
    assert found["proofs"][paths.INDEX_PROOF] == size - 1
    assert set(found["proofs"]) == {
        str(file.relative_to(site.folder)) for file in site.folder.rglob(f"*{paths.PROOF}")
    }
    for name, tile in found["tiles"].items():
        assert paths.tile_path(tile["level"], tile["number"], tile["width"]) == name


def without_signatures(folder: Path) -> None:
    """Leave only lines that no known key has made."""
    note = Note.parse((folder / "checkpoint").read_bytes())
    unknown = tuple(dataclasses.replace(each, id=bytes(4)) for each in note.signatures)
    (folder / "checkpoint").write_bytes(bytes(Note(note.text, unknown)))


def with_a_bad_cosignature(folder: Path) -> None:
    note = Note.parse((folder / "checkpoint").read_bytes())
    *good, last = note.signatures
    bad = dataclasses.replace(last, blob=last.blob[:-1] + bytes([last.blob[-1] ^ 1]))
    (folder / "checkpoint").write_bytes(bytes(Note(note.text, (*good, bad))))


def flip(pattern: str) -> Callable[[Path], None]:
    """Return a function that changes one byte of each file that matches, old partial ones too."""

    def flip(folder: Path) -> None:
        files = [path for path in folder.glob(pattern) if path.is_file()]
        assert files
        for file in files:
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)

    return flip


@pytest.mark.parametrize(
    "damage",
    [
        without_signatures,
        with_a_bad_cosignature,
        flip("tile/0/**/*"),
        flip("tile/entries/**/*"),
        flip(paths.INDEX_PROOF),
    ],
    ids=["signatures", "cosignature", "tile", "records", "proof"],
)
def test_go_refuses_a_damaged_site(
    judge: Path, site: Site, tmp_path: Path, damage: Callable[[Path], None]
):
    folder = tmp_path / "site"
    shutil.copytree(site.folder, folder)
    damage(folder)

    assert go_judges(judge, site, folder).returncode == 1


def test_go_names_tiles_as_they_are_named_here(judge: Path, run: Run):
    tiles = [
        (level, n, width)
        for level in (0, 1, 7)
        for n in (0, 1, 999, 1000, 1234067, 999_999_999, 10**12)
        for width in (1, 255, 256)
    ]
    judged = run(
        str(judge), "paths", stdin="".join("{} {} {}\n".format(*tile) for tile in tiles).encode()
    )
    theirs = judged.stdout.decode().splitlines()

    assert theirs == [paths.tile_path(*tile).replace("tile/", "tile/8/", 1) for tile in tiles]
