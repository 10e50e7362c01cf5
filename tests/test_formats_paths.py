import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import FormatError
from mirror.formats import paths
from mirror.formats.paths import Stage

A = "a/o/q/x/w64tnmfzrgi3damf2"
IMMUTABLE, HEAD = False, True
EVERY_KIND = [  # all of section 3
    (f"{A}/1.html", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/1.html.minisig", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/1.html.sig", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/10.html", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/1-2.html", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/12-34.html", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/1-2.html.minisig", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/{'0f' * 32}.webp", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/2.diff.html", IMMUTABLE, Stage.DOCUMENT),
    (f"{A}/2.diff.html.minisig", IMMUTABLE, Stage.DOCUMENT),
    (f"index/{'0f' * 32}.json", IMMUTABLE, Stage.DOCUMENT),
    ("trust/1.root.json", IMMUTABLE, Stage.DOCUMENT),
    ("trust/12.root.json", IMMUTABLE, Stage.DOCUMENT),
    ("tile/entries/000", IMMUTABLE, Stage.BUNDLE),
    ("tile/entries/000.p/7", IMMUTABLE, Stage.BUNDLE),
    ("tile/entries/x001/234.p/7", IMMUTABLE, Stage.BUNDLE),
    ("tile/0/000", IMMUTABLE, Stage.TILE),
    ("tile/1/000.p/255", IMMUTABLE, Stage.TILE),
    ("tile/0/x001/x234/067", IMMUTABLE, Stage.TILE),
    (f"{A}/1.html.tlog-proof", HEAD, Stage.PROOF),
    (f"{A}/1-2.html.tlog-proof", HEAD, Stage.PROOF),
    (f"{A}/index.html", HEAD, Stage.PAGE),
    ("index.html", HEAD, Stage.PAGE),
    ("index.html.minisig", HEAD, Stage.PAGE),
    ("index.html.sig", HEAD, Stage.PAGE),
    ("archive/2026-11.html", HEAD, Stage.PAGE),
    ("feed.xml", HEAD, Stage.PAGE),
    ("feed/1.xml", HEAD, Stage.PAGE),
    ("feed.json", HEAD, Stage.PAGE),
    ("mirrors.html", HEAD, Stage.PAGE),
    ("reader.html", HEAD, Stage.PAGE),
    ("reader.html.minisig", HEAD, Stage.PAGE),
    ("reader.html.sig", HEAD, Stage.PAGE),
    ("app.html", HEAD, Stage.PAGE),
    ("sw.js", HEAD, Stage.PAGE),
    ("trust/policy", HEAD, Stage.PAGE),
    ("trust/minisign.pub", HEAD, Stage.PAGE),
    ("trust/allowed_signers", HEAD, Stage.PAGE),
    ("trust/log.vkey", HEAD, Stage.PAGE),
    ("checkpoint", HEAD, Stage.CHECKPOINT),
    ("index.tlog-proof", HEAD, Stage.INDEX),
]


@pytest.mark.parametrize(("path", "head", "stage"), EVERY_KIND)
def test_every_path_of_a_site_is_known(path: str, head: bool, stage: Stage):
    assert paths.check_path(path) == path
    assert paths.is_head(path) == head
    assert paths.stage(path) == stage


@pytest.mark.parametrize(
    "path",
    [
        f"{A}/0.html",
        f"{A}/01.html",
        f"{A}/1-0.html",
        f"{A}/1.html.gz",
        f"{A}/1.htm",
        f"{A}/0.diff.html",
        f"{A}/1-2.diff.html",
        f"{A}/2.diff.html.gz",
        f"{A}/{'0F' * 32}.webp",
        f"{A}/{'0f' * 31}.webp",
        f"{A}/1.html/x",
        f"b/{A[2:]}/1.html",
        "a/O/q/x/w64tnmfzrgi3damf2/1.html",
        "a/o/q/x/short/1.html",
        "index2/x.json",
        "trust/root.json.bak",
    ],
)
def test_a_name_that_only_looks_immutable_is_not(path: str):
    assert paths.is_head(path)


@given(st.permutations([path for path, _, _ in EVERY_KIND]))
def test_what_a_path_refers_to_is_written_before_it(shuffled: list[str]):
    batches = list(paths.in_write_order(shuffled))
    stages = [{paths.stage(path) for path in batch} for batch in batches]

    assert sorted(itertools.chain(*batches)) == sorted(shuffled)
    assert stages == [{stage} for stage in Stage]
    assert batches[-2:] == [["checkpoint"], ["index.tlog-proof"]]


def test_a_round_that_writes_nothing_has_no_batch():
    assert list(paths.in_write_order([])) == []


def test_pages_are_written_after_proofs_and_proofs_after_tiles():
    order = ["index.tlog-proof", "checkpoint", f"{A}/index.html", f"{A}/1.html.tlog-proof"]
    order += ["tile/0/000", "tile/entries/000", f"{A}/1.html"]

    assert list(paths.in_write_order(order)) == [[path] for path in reversed(order)]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", ".hidden", "a/.hidden", "a b"),
        *("é", "a\\b", "a\n", "a?b", "a#b", "a%2e", "a:b", "~a", "a\x00", "C:/a"),
    ],
)
def test_a_path_that_leaves_the_site_or_needs_quoting_is_refused(path: str):
    with pytest.raises(FormatError, match="path"):
        paths.check_path(path)


@given(st.text())
def test_a_path_that_is_accepted_stays_inside(path: str):
    try:
        paths.check_path(path)
    except FormatError:
        return
    assert path.isascii()
    assert not any(part.startswith(".") or not part for part in path.split("/"))


@given(st.binary(min_size=32, max_size=32), st.integers(1, 10**15), st.integers(1, 99))
def test_the_path_of_a_revision_says_whose_it_is(id_: bytes, rev: int, part: int):
    short = paths.short_id(id_)
    path = paths.revision_path(short, rev, part=part)

    assert len(short) == paths.ID_SIZE
    assert path.startswith(paths.article_folder(short) + "/")
    assert paths.short_of(path) == short
    assert paths.check_path(path) == path
    assert not paths.is_head(path)


def test_an_id_is_written_in_base32():
    """The vector is of RFC 4648: `foobar` gives `MZXW6YTBOI======`."""
    assert paths.short_id(b"foobar" + bytes(26)) == "mzxw6ytboiaaaaaaaaaa"
    assert paths.article_folder("mzxw6ytboiaaaaaaaaaa") == "a/m/z/x/w6ytboiaaaaaaaaaa"
    assert paths.revision_path("mzxw6ytboiaaaaaaaaaa", 3) == "a/m/z/x/w6ytboiaaaaaaaaaa/3.html"
    assert paths.revision_path("mzxw6ytboiaaaaaaaaaa", 3, part=2).endswith("/3-2.html")
    assert paths.diff_path("mzxw6ytboiaaaaaaaaaa", 3).endswith("/3.diff.html")


def test_a_path_of_no_article_has_no_id():
    assert paths.short_of("index.html") is None
    assert paths.short_of(A) is None


def test_tiles_are_named_as_their_specification_says():
    """The first is the example of https://c2sp.org/tlog-tiles."""
    assert paths.tile_path(0, 1234067, 256) == "tile/0/x001/x234/067"
    assert paths.tile_path(0, 0, 256) == "tile/0/000"
    assert paths.tile_path(1, 999, 1) == "tile/1/999.p/1"
    assert paths.tile_path(2, 1000, 255) == "tile/2/x001/000.p/255"
    assert paths.bundle_path(0, 256) == "tile/entries/000"
    assert paths.bundle_path(1000, 44) == "tile/entries/x001/000.p/44"
