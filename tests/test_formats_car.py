import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from formats_inputs import FOLDER, HASHES, VALID, assert_strict, hostile_files, mutated
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import car
from mirror.formats.cid import DAG_PB, RAW, SIZE, Cid, encode_varint

Archive = tuple[Cid, list[tuple[Cid, bytes]]]

HELLO = Cid.of(b"hello world")
CODECS = st.sampled_from([RAW, DAG_PB])
BLOCKS = st.builds(
    lambda data, codec: (Cid.of(data, codec=codec), data), st.binary(max_size=200), CODECS
)
ARCHIVES = st.tuples(st.builds(Cid, CODECS, HASHES), st.lists(BLOCKS, max_size=4))
READABLE = {  # of the gateway conformance suite: root, blocks
    "gateway-cache/fixtures.car": (
        "bafybeib3ffl2teiqdncv3mkz4r23b5ctrwkzrrhctdbne6iboayxuxk5ui",
        5,
    ),
    "gateway-raw-block.car": ("bafybeie72edlprgtlwwctzljf6gkn2wnlrddqjbkxo3jomh4n7omwblxly", 3),
    "path_gateway_unixfs/dir-with-files.car": (
        "bafybeihchr7vmgjaasntayyatmp5sv6xza57iy2h4xj7g46bpjij6yhrmy",
        9,
    ),
    "path_gateway_unixfs/dir-with-percent-encoded-filename.car": (
        "bafybeig675grnxcmshiuzdaz2xalm6ef4thxxds6o6ypakpghm5kghpc34",
        2,
    ),
    "trustless_gateway_car/dir-with-duplicate-files.car": (
        "bafybeihchr7vmgjaasntayyatmp5sv6xza57iy2h4xj7g46bpjij6yhrmy",
        9,
    ),
    "trustless_gateway_car/single-layer-hamt-with-multi-block-files.car": (
        "bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i",
        243,
    ),
    "trustless_gateway_car/subdir-with-mixed-block-files.car": (
        "bafybeidh6k2vzukelqtrjsmd4p52cpmltd2ufqrdtdg6yigi73in672fwu",
        10,
    ),
    "trustless_gateway_car/subdir-with-two-single-block-files.car": (
        "bafybeietjm63oynimmv5yyqay33nui4y4wx6u3peezwetxgiwvfmelutzu",
        4,
    ),
}
REFUSED = {
    "path_gateway_unixfs/symlink.car": "version 0",
    "trustless_gateway_car/dir-with-dag-cbor-with-links.car": "codec 0x71",
    "trustless_gateway_car/file-3k-and-3-blocks-missing-block.car": "version 0",
}


def read(data: bytes) -> Archive:
    root, blocks = car.read(io.BytesIO(data).read)
    return root, list(blocks)


def write(archive: Archive) -> bytes:
    return b"".join(car.write(*archive))


def test_the_sample_is_written_and_read():
    sample = (FOLDER / "car" / VALID).read_bytes()

    assert write((HELLO, [(HELLO, b"hello world")])) == sample
    assert read(sample) == (HELLO, [(HELLO, b"hello world")])


@given(ARCHIVES)
def test_read_gives_back_what_was_written(archive: Archive):
    assert read(write(archive)) == archive


@given(mutated(ARCHIVES.map(write)))
def test_read_raises_only_format_error_and_takes_only_what_write_makes(data: bytes):
    assert_strict(read, write, data)


@pytest.mark.parametrize("file", hostile_files("car"), ids=lambda file: file.name)
def test_a_hostile_archive_is_refused(file: Path):
    with pytest.raises(FormatError):
        read(file.read_bytes())


@given(st.integers(0, 111))
def test_an_archive_that_is_cut_anywhere_but_between_blocks_is_refused(length: int):
    data = write((HELLO, [(HELLO, b"hello world")]))
    whole = (59, len(data))

    if length in whole:
        read(data[:length])
    else:
        with pytest.raises(FormatError):
            read(data[:length] if length < len(data) else data + b"\x01")


def test_a_length_is_judged_before_anything_of_it_is_read():
    asked: list[int] = []

    def source(data: bytes) -> car.Read:
        stream = io.BytesIO(data)
        return lambda n: (asked.append(n), stream.read(n))[1]

    header = write((HELLO, []))
    _, blocks = car.read(source(header + encode_varint(car.MAX_SECTION + 1) + bytes(100)))
    with pytest.raises(FormatError, match="at most 2097152"):
        next(blocks)
    with pytest.raises(FormatError, match="at most 4096"):
        car.read(source(encode_varint(4097) + bytes(5000)))
    with pytest.raises(FormatError, match="more than 9 bytes"):
        car.read(source(b"\xff" * 100))

    assert max(asked) == 58


def test_the_largest_block_is_written_and_read_and_a_larger_one_neither():
    block = bytes(car.MAX_SECTION - SIZE)
    archive = (HELLO, [(Cid.of(block), block)])

    assert read(write(archive)) == archive
    with pytest.raises(FormatError, match="a block of 2097117 bytes"):
        write((HELLO, [(Cid.of(b""), block + b"x")]))


def test_blocks_are_passed_on_one_by_one_and_not_copied():
    taken: list[int] = []

    def blocks() -> Iterable[tuple[Cid, memoryview]]:
        for number in range(3):
            taken.append(number)
            yield HELLO, view

    view = memoryview(b"hello world")
    pieces = car.write(HELLO, blocks())
    _, _, first = next(pieces), next(pieces), next(pieces)

    assert first is view
    assert taken == [0]


def test_the_blocks_before_a_damaged_one_are_read():
    other = Cid.of(b"other")
    _, blocks = car.read(io.BytesIO(write((HELLO, [(other, b"other"), (other, b"wrong")]))).read)

    assert next(blocks) == (other, b"other")
    with pytest.raises(FormatError, match=r"bafkrei.*: a block with another hash"):
        next(blocks)


def test_archives_of_others_are_read_where_they_use_these_codecs(shared_data: Path):
    folder = shared_data / "vectors" / "gateway"
    files = {str(file.relative_to(folder)) for file in folder.rglob("*.car")}

    assert files == READABLE.keys() | REFUSED.keys()
    for name, (cid, count) in READABLE.items():
        data = (folder / name).read_bytes()
        root, blocks = read(data)
        assert (str(root), len(blocks)) == (cid, count)
        assert root in dict(blocks)
        assert write((root, blocks)) == data
    for name, reason in REFUSED.items():
        with pytest.raises(FormatError, match=reason):
            read((folder / name).read_bytes())
