import hashlib
import io
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from formats_inputs import FOLDER, HASHES, VALID, assert_strict, hostile_files, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import car, folders, places, unixfs
from mirror.formats.cid import DAG_PB, RAW, Cid, encode_varint
from mirror.formats.folders import Node, Update, update
from mirror.formats.places import find, leads_to, leads_to_some
from mirror.formats.unixfs import CHUNK, Folder, Link, chunked, file_blocks, file_link

HELLO = file_link(b"hello world")
X = file_link(b"x")
ALPHABET = "abcdefghijklmnopqrstuvwxyz01234567890-_"  # kubo/test/cli/testutils/random_files.go
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
V1, V0 = "unixfs-v1-2025", "unixfs-v0-2015"
ALL = 4  # bytes of an empty folder: above that every folder is sharded

Tree = dict[str, "Link | Tree"]
Entry = tuple[bytes, int]


def keystream(seed: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of a vector, 1 MiB at a time."""
    key = hashlib.sha256(seed.encode()).digest()
    encrypt = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor().update
    zeros = bytes(CHUNK)
    for start in range(0, size, CHUNK):
        yield encrypt(zeros[: size - start])


# Written once more, in the plainest way, and itself judged by the vectors.


def tagged(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + encode_varint(len(value)) + value


def pb_link(name: str, cid: bytes, tsize: int) -> bytes:
    size = b"\x18" + encode_varint(tsize)
    return tagged(0x12, tagged(0x0A, cid) + tagged(0x12, name.encode()) + size)


def pb_node(links: Mapping[str, Entry] | list[Entry], data: bytes) -> tuple[bytes, int]:
    named = sorted(links.items()) if isinstance(links, Mapping) else [("", each) for each in links]
    block = b"".join(pb_link(name, *entry) for name, entry in named) + tagged(0x0A, data)
    return block, len(block) + sum(tsize for _, (_, tsize) in named)


def multihash(block: bytes) -> bytes:
    return b"\x12\x20" + hashlib.sha256(block).digest()


def reference_file(data: bytes, *, chunk: int, width: int, version: int) -> bytes:
    """Return the CID of a file, in binary: raw leaves in version 1, wrapped ones in version 0."""
    prefix = b"\x01\x70" if version else b""

    def inner(parts: list[tuple[Entry, int]], content: bytes) -> tuple[Entry, int]:
        size = sum(size for _, size in parts) + len(content)
        sizes = b"".join(b"\x20" + encode_varint(size) for _, size in parts)
        held = tagged(0x12, content) if content else b""
        fields = b"\x08\x02" + held + b"\x18" + encode_varint(size) + sizes
        block, tsize = pb_node([entry for entry, _ in parts], fields)
        return (prefix + multihash(block), tsize), size

    def leaf(content: bytes) -> tuple[Entry, int]:
        if version:
            return (b"\x01\x55" + multihash(content), len(content)), len(content)
        return inner([], content)

    def tree(height: int, content: bytes) -> tuple[Entry, int]:
        if height == 0:
            return leaf(content)
        span = chunk * width ** (height - 1)
        cuts = range(0, len(content), span)
        return inner([tree(height - 1, content[at : at + span]) for at in cuts], b"")

    height = 0
    while chunk * width**height < len(data):
        height += 1
    return tree(height, data)[0][0]


def reference_tree(tree: Tree) -> Entry:
    entries: dict[str, Entry] = {}
    for name, each in tree.items():
        is_link = isinstance(each, Link)
        entries[name] = (bytes(each.cid), each.tsize) if is_link else reference_tree(each)
    block, tsize = pb_node(entries, b"\x08\x01")
    if len(block) > folders.SHARD_ABOVE:
        return reference_shard(entries, 0)
    return b"\x01\x70" + multihash(block), tsize


def reference_shard(entries: dict[str, Entry], depth: int) -> Entry:
    slots: dict[int, dict[str, Entry]] = {}
    for name, entry in entries.items():
        slots.setdefault(folders.murmur3(name.encode())[depth], {})[name] = entry
    links = {}
    for slot, some in slots.items():
        if len(some) == 1:
            [(name, entry)] = some.items()
            links[f"{slot:02X}{name}"] = entry
        else:
            links[f"{slot:02X}"] = reference_shard(some, depth + 1)
    bits = sum(1 << slot for slot in slots)
    field = bits.to_bytes(32, "big").lstrip(b"\x00")
    block, tsize = pb_node(links, b"\x08\x05" + tagged(0x12, field) + b"\x28\x22\x30\x80\x02")
    return b"\x01\x70" + multihash(block), tsize


def reference(files: Mapping[str, Link]) -> Link:
    tree: Tree = {}
    for path, link in files.items():
        *folders, name = path.split("/")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = link
    cid, tsize = reference_tree(tree)
    return Link(Cid.decode(cid), tsize)


class Kept:
    """The state of a tree as a caller keeps it, stricter than it needs to be."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.asked: list[str] = []

    def read(self, place: str) -> Node | None:
        self.asked.append(place)
        return self.nodes.get(place)

    def update(self, changes: Mapping[str, Link | None]) -> Update:
        self.asked = []
        found = update(self.read, changes)
        for place, node in found.nodes.items():
            assert node != self.nodes.get(place), f"{place}: says that it changed"
            if node is None:
                del self.nodes[place]
            else:
                assert node.cid == Cid.of(node.block, codec=DAG_PB)
                self.nodes[place] = node
        assert self.nodes[""].cid == found.root.cid
        return found

    def files(self, place: str = "", path: str = "") -> dict[str, Link]:
        """Return all files, read from the blocks alone."""
        found = {}
        folder = Folder.parse(self.nodes[place].block)
        for key, link in folder.links.items():
            name = key[2:] if folder.sharded else key
            below = f"{place}{'' if '//' in place else '//'}{key}"
            if folder.sharded and not name:
                found |= self.files(below, path)
            elif f"{path}{name}" in self.nodes:
                found |= self.files(f"{path}{name}", f"{path}{name}/")
            else:
                found[f"{path}{name}"] = link
        return found


@contextmanager
def small(*, above: int, spread: int = 256) -> Iterator[None]:
    """Shard folders of over `above` bytes, by hashes whose bytes are below `spread`."""
    with pytest.MonkeyPatch.context() as patch:
        real = folders.murmur3
        patch.setattr(folders, "SHARD_ABOVE", above)
        patch.setattr(folders, "murmur3", lambda name: bytes(b % spread for b in real(name)))
        yield


# Files.


@pytest.mark.parametrize(
    ("data", "cid"),
    [
        (b"", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        (b"hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
    ],
)
def test_a_small_file_is_one_raw_block(data: bytes, cid: str):
    [block] = file_blocks(chunked(data))

    assert str(block.link.cid) == cid
    assert block.link == file_link(data) == Link(Cid.of(data), len(data))
    assert block.data == data


@pytest.mark.parametrize(
    ("size", "cid"),
    [
        (CHUNK, "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta"),
        (CHUNK + 1, "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64"),
    ],
)
def test_a_file_around_the_size_of_a_chunk_is_that_of_the_profile(size: int, cid: str):
    data = b"".join(keystream("chunk-v1-seed", size))

    assert str(file_link(data).cid) == cid
    *_, last = file_blocks(iter(partial(io.BytesIO(data).read, CHUNK), b""))
    assert str(last.link.cid) == cid


def vectors(shared_data: Path, profile: str) -> list[tuple[str, int, str]]:
    files = json.loads((shared_data / "vectors/unixfs.json").read_bytes())["files"]
    return [(f["seed"], f["size"], f["cid"]) for f in files if f["profile"] == profile]


def test_files_up_to_1_gib_and_a_byte_are_those_of_the_profile(shared_data: Path):
    cases = vectors(shared_data, V1)

    assert len(cases) == 4
    for seed, size, cid in cases:
        for block in file_blocks(keystream(seed, size)):
            last = block
        assert str(last.link.cid) == cid


def test_the_reference_gives_the_files_of_the_older_profile(shared_data: Path):
    cases = vectors(shared_data, V0)

    assert len(cases) == 4
    for seed, size, cid in cases:
        data = b"".join(keystream(seed, size))
        found = reference_file(data, chunk=262_144, width=174, version=0)
        number = 0
        for letter in cid:
            number = number * 58 + BASE58.index(letter)
        assert found == number.to_bytes(34, "big")


@given(st.binary(max_size=150))
def test_a_file_of_any_length_is_that_of_the_reference(data: bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unixfs, "CHUNK", 4)
        patch.setattr(unixfs, "LINKS", 3)
        blocks = list(file_blocks(chunked(data)))

    assert bytes(blocks[-1].link.cid) == reference_file(data, chunk=4, width=3, version=1)
    for block in blocks:
        assert block.link.cid == Cid.of(block.data, codec=block.link.cid.codec)
    assert blocks[-1].link.tsize == sum(len(block.data) for block in blocks)
    assert b"".join(each.data for each in blocks if each.link.cid.codec == RAW) == data


def test_the_chunks_of_a_file_in_memory_are_not_copied():
    data = bytearray(2 * CHUNK)
    first, second = chunked(data)
    data[0] = data[-1] = 1

    assert (first[0], second[-1]) == (1, 1)


@pytest.mark.parametrize("chunks", [[bytes(CHUNK + 1)], [b"short", b"x"], [b"", bytes(CHUNK)]])
def test_chunks_that_would_give_another_tree_are_refused(chunks: list[bytes]):
    with pytest.raises(FormatError, match="another length than 1 MiB"):
        list(file_blocks(chunks))


# Blocks of folders.

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
LINKS = st.builds(
    Link,
    st.builds(Cid, st.sampled_from([RAW, DAG_PB]), HASHES),
    st.integers(0, 2**63 - 1),
)
PLAIN = st.builds(Folder, st.dictionaries(NAMES, LINKS, max_size=5))
SLOTS = st.dictionaries(st.integers(0, 255), st.tuples(st.just("") | NAMES, LINKS), max_size=5)
SHARDS = SLOTS.map(
    lambda slots: Folder({f"{n:02X}{name}": link for n, (name, link) in slots.items()}, True)
)


def test_the_sample_folder_is_read():
    sample = (FOLDER / "folder" / VALID).read_bytes()

    assert Folder.parse(sample) == Folder({"hello": HELLO, "other": Link(HELLO.cid, 300)})


@given(PLAIN | SHARDS)
def test_parse_reads_back_what_bytes_writes(folder: Folder):
    assert Folder.parse(bytes(folder)) == folder


@given(mutated((PLAIN | SHARDS).map(bytes)))
def test_parse_raises_only_format_error_and_takes_only_what_bytes_writes(data: bytes):
    assert_strict(Folder.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("folder"), ids=lambda file: file.name)
def test_a_hostile_folder_is_refused(file: Path):
    with pytest.raises(FormatError):
        Folder.parse(file.read_bytes())


@pytest.mark.parametrize("names", [["00", "00a"], ["xxa"], ["0"], ["0f"]])
def test_a_shard_with_names_that_are_in_no_slot_is_not_written(names: list[str]):
    with pytest.raises(FormatError, match="begin with a number each"):
        bytes(Folder(dict.fromkeys(names, HELLO), sharded=True))


# The tree of folders.


def test_an_empty_site_is_the_empty_folder():
    found = update({}.get, {})

    assert str(found.root.cid) == "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
    assert found.blocks == {found.root.cid: b"\x0a\x02\x08\x01"}


def vector_names(last: int) -> list[str]:
    [stream] = keystream("hamt-unixfs-v1-2025", CHUNK)
    letters = "".join(ALPHABET[byte % len(ALPHABET)] for byte in stream)
    return [letters[at : at + (11 if at < 52_415 else last)] for at in range(0, 52_416, 11)]


@pytest.mark.parametrize(
    ("last", "nodes", "cid"),
    [  # kubo/test/cli/cid_profiles_test.go: 262,144 bytes, and one more
        (21, 1, "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4"),
        (22, 439, "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu"),
    ],
)
def test_a_folder_around_the_limit_is_that_of_the_profile(last: int, nodes: int, cid: str):
    files = dict.fromkeys(vector_names(last), X)
    found = update({}.get, files)

    assert len(files) == 4766
    assert len(found.nodes) == nodes
    assert str(found.root.cid) == cid
    assert found.root == reference(files)


def test_a_sharded_folder_of_another_program_is_built_alike(shared_data: Path):
    name = "trustless_gateway_car/single-layer-hamt-with-multi-block-files.car"
    data = (shared_data / "vectors/gateway" / name).read_bytes()
    root, found = car.read(io.BytesIO(data).read)
    blocks = dict(found)
    files: dict[str, Link] = {}

    def gather(cid: Cid) -> None:
        for key, link in Folder.parse(blocks[cid]).links.items():
            if key[2:]:
                files[key[2:]] = link
            else:
                gather(link.cid)

    gather(root)
    with small(above=ALL):
        built = update({}.get, files)

    assert built.root.cid == root
    assert len(files) > 300
    assert built.blocks.items() <= blocks.items()


PATHS = st.sampled_from(
    ["a", "b/a", "b/b", "b/c/a", "b/c/b", "b/c/d/e", "index.html"]
    + [f"index/{n:02}" for n in range(14)]
    + [f"tile/0/{n:03}" for n in range(8)]
    + [f"tile/0/{n:03}.p/{n}" for n in range(8)]
)
SOME_LINKS = st.sampled_from([HELLO, X, Link(HELLO.cid, 300), Link(Cid(DAG_PB, bytes(32)), 2**40)])
FILES = st.sets(PATHS, min_size=12).flatmap(
    lambda paths: st.fixed_dictionaries(dict.fromkeys(sorted(paths), SOME_LINKS))
)
CHANGES = st.dictionaries(PATHS, st.none() | st.none() | SOME_LINKS)


@settings(max_examples=150)
@given(
    st.just({}) | FILES,
    st.lists(CHANGES, max_size=4),
    st.sampled_from([ALL, 150, 400, 800, 262_144]),
    st.sampled_from([3, 4, 256]),
)
def test_any_changes_lead_to_the_tree_that_is_built_at_once(
    files: dict[str, Link], rounds: list[dict[str, Link | None]], above: int, spread: int
):
    site = Kept()
    with small(above=above, spread=spread):
        site.update(files)
        for changes in rounds:
            found = site.update(changes)
            files = {p: link for p, link in {**files, **changes}.items() if link}
            whole = Kept()
            whole.update(files)

            assert found.root == reference(files)
            assert site.nodes == whole.nodes
            assert site.files() == files
            assert found.blocks.keys() <= {node.cid for node in site.nodes.values()}


def test_a_shard_of_which_one_entry_is_left_gives_it_back():
    files = dict.fromkeys(vector_names(22)[:40], X)
    site = Kept()
    with small(above=ALL, spread=5):
        site.update(files)
        places = len(site.nodes)
        while files:
            name, _ = files.popitem()

            assert site.update({name: None}).root == reference(files)
            assert len(site.nodes) <= places
            places = len(site.nodes)
    assert places == 1


def test_one_change_reads_and_writes_only_what_is_above_it():
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    paths = {f"a/{'/'.join(draw.choices(letters, k=3))}/{n}/1.html" for n in range(3000)}
    site = Kept()
    site.update(dict.fromkeys(paths, X))

    found = site.update({"a/b/c/d/new/1.html": HELLO})

    way = {"", "a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/new"}
    assert list(found.nodes) == sorted(way, reverse=True)
    assert set(site.asked) <= way | {"a/b/c/d/new/1.html"}
    assert len(found.blocks) == 6


def test_one_change_in_a_sharded_folder_writes_only_its_shards():
    names = vector_names(22)
    site = Kept()
    site.update({f"index/{name}": X for name in names})
    before = len(site.nodes)

    found = site.update({f"index/{names[7]}": HELLO})

    assert before == 440
    assert list(found.nodes)[-2:] == ["index", ""]
    assert len(found.nodes) in (3, 4)
    assert sum(map(len, found.blocks.values())) < 15_000
    assert len(set(site.asked)) <= 6


def test_a_folder_is_sharded_when_it_grows_and_whole_again_when_it_shrinks():
    names = vector_names(22)
    site = Kept()
    whole = site.update(dict.fromkeys(names[:-1], X))
    larger = site.update({names[-1]: X})
    smaller = site.update({names[-1]: None})

    assert (len(whole.nodes), len(larger.nodes)) == (1, 439)
    assert smaller.root == whole.root
    assert list(smaller.nodes.values()).count(None) == 438
    assert site.nodes.keys() == {""}


def test_what_does_not_change_anything_changes_no_node():
    site = Kept()
    first = site.update({"a/b": X, "c": X})

    again = site.update({"a/b": X, "a/x/y": None, "no/such": None, "none": None})

    assert again == Update(first.root, {})


def test_a_folder_that_becomes_empty_goes_and_so_do_those_above():
    site = Kept()
    only_c = site.update({"c": X}).root
    site.update({"a/b/d": X})

    assert site.update({"a/b/d": None}).root == only_c
    assert site.nodes.keys() == {""}
    assert str(site.update({"c": None}).root.cid).startswith("bafybeiczsscdsbs7")


@pytest.mark.parametrize("above", [ALL, 262_144])
@pytest.mark.parametrize(
    "changes",
    [
        {"file/x": X},
        {"folder": X},
        {"folder": None},
        {"new": X, "new/x": X},
        {"new/x": X, "new": X},
        {"new/x": X, "new": None},
        {"new/x/y": X, "new/x": X},
        {"new": None, "new/x/y": None},
    ],
)
def test_a_path_is_a_folder_or_a_file_and_does_not_become_the_other(
    changes: dict[str, Link | None], above: int
):
    with small(above=above):
        site = Kept()
        site.update({"file": X, "folder/x": X})

        with pytest.raises(FormatError, match="a folder and a file"):
            site.update(changes)


@pytest.mark.parametrize("above", [ALL, 262_144])
def test_what_is_removed_below_a_file_changes_nothing(above: int):
    with small(above=above):
        site = Kept()
        site.update({"file": X})

        assert site.update({"file/x/y": None}).nodes == {}


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/.b", "é", "a b"])
def test_a_path_that_no_site_has_is_refused(path: str):
    with pytest.raises(FormatError, match="not one of a site"):
        update({}.get, {path: X})


def test_names_with_one_hash_are_refused():
    with (
        small(above=ALL, spread=1),
        pytest.raises(FormatError, match="//0000000000000000: names with one hash"),
    ):
        update({}.get, {"a": X, "b": X})


def test_a_tree_that_lost_a_shard_is_an_error():
    site, files = Kept(), dict.fromkeys(vector_names(22)[:40], X)
    with small(above=ALL, spread=8):
        site.update(files)
        lost = next(place for place in site.nodes if len(place) == 4)
        del site.nodes[lost]

        with pytest.raises(FormatError, match=f"{lost}: missing in the tree"):
            update(site.read, dict.fromkeys(files, HELLO))


def test_a_tree_with_a_damaged_block_is_an_error():
    damaged = Node(X.cid, b"\x0a\x02\x08\x02", 0)

    with pytest.raises(FormatError, match="not that of a folder"):
        update({"": damaged}.get, {"a": X})


def test_what_a_block_leads_to_is_said_by_path_and_place():
    tree = Kept()
    tree.update({f"tile/{number}": X for number in range(3)} | {"index.html": HELLO})
    root = tree.nodes[""].block

    assert dict(leads_to("", root)).keys() == {"tile", "index.html"}
    assert list(leads_to_some("", root, ["index.html", "tile/0", "a"])) == [("index.html", HELLO)]
    assert dict(leads_to("tile", tree.nodes["tile"].block)) == {f"tile/{n}": X for n in range(3)}


def test_shards_lead_to_each_other_and_to_all_files():
    tree = Kept()
    files = {f"tile/{number:03}": X for number in range(40)} | {f"tile/{'n' * 200}": HELLO}
    with small(above=ALL, spread=8):
        tree.update(files)
        nodes = tree.nodes.items()
        found = {place: dict(leads_to(place, node.block)) for place, node in nodes}
        some = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "murmur3", folders.murmur3)
            for place, node in nodes:
                some |= dict(leads_to_some(place, node.block, files))
        assert some == files

    links = {target: link for each in found.values() for target, link in each.items()}
    assert links.keys() == tree.nodes.keys() - {""} | files.keys()
    assert all(links[place].cid == node.cid for place, node in nodes if place)
    for place, below in found.items():
        some = [find(place, tree.nodes[place].block, link.cid) for link in below.values()]
        assert all(
            links[target or ""].cid in {each.cid for each in below.values()} for target in some
        )


def test_what_has_a_cid_is_found_in_a_block():
    tree = Kept()
    tree.update({"tile/0": X, "tile/1": HELLO})
    block = tree.nodes["tile"].block

    assert find("tile", block, HELLO.cid) == "tile/1"
    assert find("tile", block, tree.nodes[""].cid) is None
