import dataclasses
from pathlib import Path
from typing import Any

import pytest
from formats_inputs import (
    FOLDER,
    HASHES,
    NUMBERS,
    ORIGINS,
    TEXTS,
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
from mirror.formats import index
from mirror.formats.encoding import decode_json, encode_json
from mirror.formats.index import Index, Item, Mirror, Node, Ref, VoidItem
from mirror.formats.record import CODES

IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=20, max_size=20)
PLACES = (IDS, NUMBERS, NUMBERS, NUMBERS)
ITEMS = st.builds(
    Item, *PLACES, TIMES, NUMBERS, HASHES, TEXTS, TEXTS, st.sampled_from(["ltr", "rtl"])
)
VOIDS = st.builds(VoidItem, *PLACES, st.sampled_from(CODES))
REFS = st.builds(Ref, NUMBERS, HASHES)
MIRRORS = st.builds(
    Mirror, TEXTS, st.sampled_from(index.KINDS), TIMES, st.lists(TEXTS, max_size=2).map(tuple)
)
NODES = st.one_of(
    st.builds(Node, items=st.lists(ITEMS | VOIDS, min_size=1, max_size=3).map(tuple)),
    st.builds(Node, nodes=st.lists(REFS, min_size=1, max_size=3).map(tuple)),
)
INDEXES = st.builds(
    Index,
    *(ORIGINS, NUMBERS, TEXTS, TEXTS, TIMES, NUMBERS),
    *(st.lists(each, max_size=2).map(tuple) for each in (ITEMS, REFS, MIRRORS)),
)

ITEM = Item("a" * 20, 41, 1, 57, 5, 8123, bytes(32), "A title", "en", "ltr")
LARGEST = 2**53 - 1


@given(NODES)
def test_a_node_reads_back_what_it_writes(node: Node):
    assert Node.parse(bytes(node)) == node


@given(INDEXES)
def test_an_index_reads_back_what_it_writes(document: Index):
    assert Index.parse(bytes(document)) == document


@given(mutated(NODES.map(bytes)) | mutated_json(NODES.map(bytes)))
def test_a_node_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(Node.parse, bytes, data)


@given(mutated(INDEXES.map(bytes)) | mutated_json(INDEXES.map(bytes)))
def test_an_index_raises_only_format_error_and_takes_only_what_it_writes(data: bytes):
    assert_strict(Index.parse, bytes, data)


@given(st.binary())
def test_noise_is_no_document(data: bytes):
    assert_strict(Node.parse, bytes, data)
    assert_strict(Index.parse, bytes, data)


@pytest.mark.parametrize("file", hostile_files("node"), ids=lambda file: file.name)
def test_a_hostile_node_is_refused(file: Path):
    assert Node.parse((FOLDER / "node" / VALID).read_bytes())

    with pytest.raises(FormatError):
        Node.parse(file.read_bytes())


@pytest.mark.parametrize("file", hostile_files("index"), ids=lambda file: file.name)
def test_a_hostile_index_is_refused(file: Path):
    assert Index.parse((FOLDER / "index" / VALID).read_bytes())

    with pytest.raises(FormatError):
        Index.parse(file.read_bytes())


@pytest.mark.parametrize(
    "id_", ["../../../etc/passwd/", "A" * 20, "a" * 19, "a" * 21, "1" * 20, "é" * 20]
)
def test_an_item_whose_id_makes_no_path_is_refused(id_: str):
    for item in (dataclasses.replace(ITEM, id=id_), VoidItem(id_, 1, 1, 1, "legal")):
        with pytest.raises(FormatError, match="id is not of its form"):
            Node.parse(bytes(Node(items=(item,))))


def test_a_document_that_is_too_large_is_refused_unread():
    for parse in (Node.parse, Index.parse):
        with pytest.raises(FormatError, match=f"more than {index.MAX_BYTES} bytes"):
            parse(b"[" * (index.MAX_BYTES + 1))


def test_lists_are_no_longer_than_the_specification_says():
    node = Node(items=(ITEM,) * 64)
    document = Index("a", 1, "A", "en", 5, 99, (ITEM,) * 30, (Ref(1, bytes(32)),) * 64, ())

    assert Node.parse(bytes(node)) == node
    assert Index.parse(bytes(document)) == document
    for too_long in (
        dataclasses.replace(document, newest=(ITEM,) * 31),
        dataclasses.replace(document, catalogue=(Ref(1, bytes(32)),) * 65),
        dataclasses.replace(document, mirrors=(Mirror("a", "dns", 5),) * 257),
    ):
        with pytest.raises(FormatError, match="a list of at most"):
            Index.parse(bytes(too_long))
    for long in (Node(items=(ITEM,) * 65), Node(nodes=(Ref(1, bytes(32)),) * 65)):
        with pytest.raises(FormatError, match="a list of at most 64"):
            Node.parse(bytes(long))


def test_a_withdrawn_article_is_never_among_the_newest():
    document = Index("a", 1, "A", "en", 5, 99, (), (), ())
    data = bytes(document).replace(
        b'"newest":[]',
        b'"newest":[{"id":"%s","n":1,"rev":1,"leaf":1,"void":"legal"}]' % (b"a" * 20),
    )

    with pytest.raises(FormatError, match="canonical"):
        Index.parse(data)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_short_title_is_kept(title: str):
    assert index.cut_title(title[:50]) == title[:50]


@pytest.mark.parametrize("character", ["a", "я", "ی", "文", "😀", '"', "\x01", "\u2028"])
def test_a_long_title_is_cut_in_characters_and_in_bytes(character: str):
    cut = index.cut_title(character * 5000)

    assert cut.endswith("…")
    assert len(cut) <= index.MAX_TITLE
    assert len(encode_json(cut)) <= index.MAX_TITLE_BYTES + len('""')
    assert index.cut_title(cut) == cut


def test_a_russian_title_is_cut_at_its_300th_character_only():
    assert index.cut_title("я" * 300) == "я" * 300
    assert index.cut_title("a" * 301) == "a" * 299 + "…"


def test_a_full_node_of_the_longest_titles_is_within_the_limit():
    item = Item(
        *("a" * 20, LARGEST, LARGEST, LARGEST, 5, LARGEST, bytes(32)),
        *(index.cut_title("文" * 5000), "zh-Hant-TW-x-longest-known", "rtl"),
    )
    node = Node(items=(item,) * index.FAN_OUT)

    assert Node.parse(bytes(node)) == node


def test_a_reference_says_where_its_document_is():
    assert Ref(5, bytes(32)).path == f"index/{'0' * 64}.json"


@pytest.mark.parametrize(
    ("count", "levels"),
    [
        (0, 1),
        (1, 1),
        (64, 1),
        (65, 1),
        (4096, 1),
        (4097, 2),
        (64**3, 2),
        (64**3 + 1, 3),
        (10**9, 4),
    ],
)
def test_the_catalogue_has_the_fewest_levels_that_give_64_at_the_top(count: int, levels: int):
    assert index.levels(count) == levels


@given(st.integers(1, 10**9), st.data())
def test_an_article_is_found_from_its_number(count: int, data: st.DataObject):
    n = data.draw(st.integers(0, count - 1))
    top = index.levels(count) - 1

    assert index.position(n, top) < index.FAN_OUT
    for level in range(top):
        assert index.position(n, level) // index.FAN_OUT == index.position(n, level + 1)
    assert index.position(n, 0) * index.FAN_OUT <= n < (index.position(n, 0) + 1) * index.FAN_OUT


@pytest.mark.parametrize(
    "change",
    [
        {"origin": 1},
        {"origin": "A"},
        {"root": "1"},
        {"root": True},
        {"name": None},
        {"issued": 5},
        {"count": -1},
        {"newest": {}},
        {"newest": [{}]},
        {"newest": [None]},
        {"catalogue": [{"len": "1", "sha256": "0" * 64}]},
        {"catalogue": [{"len": 1, "sha256": 0}]},
        {
            "mirrors": [
                {"url": "a", "kind": "ftp", "since": "2026-11-22T16:18:00Z", "blocked_in": []}
            ]
        },
        {"mirrors": [{"url": "a", "kind": [], "since": "2026-11-22T16:18:00Z", "blocked_in": []}]},
        {
            "mirrors": [
                {"url": "a", "kind": "dns", "since": "2026-11-22T16:18:00Z", "blocked_in": "RU"}
            ]
        },
        {"v": 2},
        {"v": True},
    ],
)
def test_a_value_of_another_type_or_form_is_refused(change: dict[str, Any]):
    value = decode_json(bytes(Index("a", 1, "A", "en", 5, 99, (), (), ())))

    with pytest.raises(FormatError):
        Index.parse(encode_json(value | change))
