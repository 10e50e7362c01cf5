import dataclasses
from pathlib import Path

import pytest
from judged import Site
from securesystemslib.formats import encode_canonical
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata
from tuf.api.metadata import Root as TufRoot
from tuf.api.serialization.json import CanonicalJSONSerializer

from mirror.formats import root as root_
from mirror.formats.root import Root


@pytest.fixture
def file(site: Site) -> Path:
    return site.folder / f"trust/{site.root.version}.root.json"


def test_python_tuf_reads_the_root_and_finds_its_threshold_met(site: Site, file: Path):
    metadata = Metadata[TufRoot].from_bytes(file.read_bytes())
    result = metadata.signed.get_verification_result(
        "root", metadata.signed_bytes, metadata.signatures
    )
    metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)

    assert result.verified
    assert result.threshold == site.root.roles["root"].threshold
    assert len(result.signed) >= result.threshold
    assert metadata.signed.version == site.root.version


def test_python_tuf_signs_the_same_bytes(site: Site, file: Path):
    metadata = Metadata[TufRoot].from_bytes(file.read_bytes())
    signed = metadata.signed

    assert metadata.signed_bytes == site.root.signed
    assert CanonicalJSONSerializer().serialize(signed) == site.root.signed


def test_python_tuf_keeps_what_it_does_not_know_and_writes_the_same_file(site: Site, file: Path):
    metadata = Metadata[TufRoot].from_bytes(file.read_bytes())
    [open_log] = [
        log for log in metadata.signed.unrecognized_fields["x-mirror"]["logs"] if "final" not in log
    ]

    assert open_log["log"] == str(site.root.open.log)
    assert encode_canonical(metadata.to_dict()).encode() == file.read_bytes()


def test_python_tuf_names_and_reads_the_keys_of_every_role(site: Site, file: Path):
    signed = Metadata[TufRoot].from_bytes(file.read_bytes()).signed
    for name, role in site.root.roles.items():
        ids = [root_.key_id(public) for public in role.keys]

        assert signed.roles[name].keyids == ids
        assert [signed.keys[id_].keyval["public"] for id_ in ids] == [
            key.hex() for key in role.keys
        ]


def test_python_tuf_refuses_a_root_with_one_signature_too_few_or_one_field_changed(site: Site):
    threshold = site.root.roles["root"].threshold
    few = dataclasses.replace(site.root, signatures=site.root.signatures[: threshold - 1])
    changed = dataclasses.replace(site.root, max_age_s=site.root.max_age_s + 1)
    for broken in (few, changed):
        metadata = Metadata[TufRoot].from_bytes(bytes(broken))
        with pytest.raises(UnsignedMetadataError):
            metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)


def test_what_python_tuf_wrote_is_read_here(site: Site, file: Path):
    metadata = Metadata[TufRoot].from_bytes(file.read_bytes())

    assert Root.parse(encode_canonical(metadata.to_dict()).encode()) == site.root
