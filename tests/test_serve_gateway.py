"""The trustless gateway: blocks and archives of a site that is kept in memory."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from serve_wire import Got, everything, get, split

from mirror.dag import Dag
from mirror.database import Database
from mirror.formats import car
from mirror.formats.cid import DAG_PB, Cid
from mirror.formats.folders import update
from mirror.formats.unixfs import CHUNK, Folder, Link, chunked, file_blocks
from mirror.serve import Manners, serve

RAW, CAR = "application/vnd.ipld.raw", "application/vnd.ipld.car"
LONG = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))
FILES = {
    "index.html": b"<p>page",
    "a/b/1.html": b"<p>article",
    "a/b/index.html": b"<p>article",
    "a/c/1.html": b"<p>other article",
    "archive/long.tar": LONG,
    "empty.txt": b"",
    **{f"tile/0/{number:05}.p/1": b"%d" % number for number in range(6_000)},
}


class MemoryBlocks:
    """A site's blocks; what was asked for is counted."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.kept: dict[Cid, bytes] = {}
        links: dict[str, Link] = {}
        for path, data in files.items():
            for block in file_blocks(chunked(data)):
                self.kept[block.link.cid] = bytes(block.data)
                links[path] = block.link
        found = update(lambda _: None, links)
        self.kept |= found.blocks
        self.top = found.root.cid
        self.places = {place: node.cid for place, node in found.nodes.items() if node}
        self.links = links
        self.files = {link.cid: path for path, link in links.items()}
        self.asked = 0

    def root(self) -> Cid | None:
        return self.top

    def block(self, cid: Cid) -> bytes | None:
        self.asked += 1
        return self.kept.get(cid)


@pytest.fixture(scope="module")
def whole() -> MemoryBlocks:
    return MemoryBlocks(FILES)


@pytest.fixture
def blocks(whole: MemoryBlocks) -> Iterator[MemoryBlocks]:
    kept = dict(whole.kept)
    yield whole
    whole.kept = kept


@pytest.fixture
async def address(tmp_path: Path, blocks: MemoryBlocks) -> AsyncIterator[str]:
    async with serving(tmp_path, blocks) as address:
        yield address


@asynccontextmanager
async def serving(
    site: Path, blocks: MemoryBlocks | Dag, manners: Manners | None = None
) -> AsyncIterator[str]:
    manners = manners or Manners(linger_s=0.2)
    async with serve(site, host="127.0.0.1", port=0, blocks=blocks, manners=manners) as address:
        yield address


def unchunked(data: bytes) -> bytes:
    """Return a chunked body, which must have come to its end."""
    found, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        length = int(data[at:end], 16)
        at = end + 2 + length
        assert data[at : at + 2] == b"\r\n"
        if not length:
            assert at + 2 == len(data)
            return b"".join(found)
        found.append(data[end + 2 : at])
        at += 2


def archive(answer: Got) -> tuple[Cid, list[tuple[Cid, bytes]]]:
    """Return the root and the blocks of an archive, each of which has its hash."""
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(f"{CAR}; version=1; order=dfs; dups=")
    root, found = car.read(io.BytesIO(unchunked(answer.body)).read)
    return root, list(found)


def expected(blocks: MemoryBlocks, cid: Cid) -> list[Cid]:
    """Return everything below and with `cid` in order, told another way than the server's."""
    found = [cid]
    if cid in blocks.files:
        data = FILES[blocks.files[cid]]
        return found if len(data) <= CHUNK else [cid, *(Cid.of(each) for each in chunked(data))]
    for link in Folder.parse(blocks.kept[cid]).links.values():
        found += expected(blocks, link.cid)
    return found


def once(cids: list[Cid]) -> list[Cid]:
    return list(dict.fromkeys(cids))


# Blocks.


@pytest.mark.parametrize("path", ["index.html", "archive/long.tar", "empty.txt"])
async def test_a_block_is_given_by_its_cid(address: str, blocks: MemoryBlocks, path: str):
    cid = blocks.links[path].cid
    answer = await get(address, f"/ipfs/{cid}?format=raw")

    assert (answer.status, answer.body) == (200, blocks.kept[cid])
    assert answer.headers["content-type"] == RAW
    assert answer.headers["etag"] == f'"{cid}.raw"'
    assert answer.headers["cache-control"] == "public, max-age=29030400, immutable"
    assert answer.headers["content-disposition"] == f'attachment; filename="{cid}.bin"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "accept"


async def test_the_root_is_a_block_too(address: str, blocks: MemoryBlocks):
    answer = await get(address, f"/ipfs/{blocks.top}/", f"Accept: {RAW}")

    assert answer.body == blocks.kept[blocks.top]
    assert answer.headers["content-location"] == f"/ipfs/{blocks.top}?format=raw"


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", RAW, RAW),
        ("", CAR, CAR),
        ("?format=raw", "", RAW),
        ("?format=raw", "*/*", RAW),
        ("?format=raw", CAR, RAW),
        ("?format=car", RAW, CAR),
        ("", f"{RAW};q=0.1, {CAR};q=0.2", CAR),
        ("", f"text/html, {RAW.upper()}", RAW),
        ("?format=car&format=raw", "", CAR),
        ("", f"{CAR}; order=unk; dups=n; other=x, */*;q=0.1", CAR),
    ],
)
async def test_the_format_is_said_in_the_address_or_else_in_a_header(
    address: str, blocks: MemoryBlocks, query: str, accept: str, kind: str
):
    lines = [f"Accept: {accept}"] if accept else []
    answer = await get(address, f"/ipfs/{blocks.links['index.html'].cid}{query}", *lines)

    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("", "", 400),
        ("", "*/*", 406),
        ("", "text/html", 406),
        ("", f"{RAW};q=0", 406),
        ("?format=html", "", 406),
        ("?format=ipns-record", RAW, 406),
        ("?format=", RAW, 406),
        ("", f"{CAR}; version=2", 406),
        ("", f"{CAR}; order=bfs", 406),
        ("?format=car&car-version=2", "", 406),
        ("?format=car&car-dups=maybe", "", 406),
        ("?format=car&dag-scope=some", "", 400),
        *(
            (f"?format=car&entity-bytes={span}", "", 400)
            for span in ("", "0", "*:1", "0:x", "1:2:3")
        ),
        ("?format=raw" + "&x=y" * 20, "", 400),
    ],
)
async def test_what_is_not_offered_is_refused_in_a_sentence(
    address: str, blocks: MemoryBlocks, query: str, accept: str, status: int
):
    lines = [f"Accept: {accept}"] if accept else []
    answer = await get(address, f"/ipfs/{blocks.top}{query}", *lines)

    assert answer.status == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body.endswith(b".\n")


@pytest.mark.parametrize("scheme", ["raw", "car"])
@pytest.mark.parametrize(
    "cid",
    [
        *("", "x", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPBdG", "bafkqaab", "BAFKQAAA"),
        *(
            "b" + "a" * 58,
            "b" + "a" * 59,
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",
        ),
        *("..", "%2e%2e", "bafkqaaa%00", "x" * 3000, "%zz", "%ff"),
    ],
)
async def test_what_is_no_cid_is_a_bad_request(address: str, cid: str, scheme: str):
    assert (await get(address, f"/ipfs/{cid}?format={scheme}")).status == 400


@pytest.mark.parametrize(
    ("scheme", "line", "status"),
    [
        ("raw", "X: y", 404),
        ("car", "X: y", 404),
        ("raw", "Cache-Control: only-if-cached", 412),
        ("car", "Cache-Control: only-if-cached", 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_not_there_is_not_found(
    address: str, scheme: str, line: str, status: int, method: str
):
    path = f"/ipfs/{Cid.of(b'nobody has this')}?format={scheme}"

    assert (await get(address, path, line, method=method)).status == status


@pytest.mark.parametrize("scheme", ["raw", "car"])
async def test_a_block_with_another_hash_is_never_sent(
    address: str, blocks: MemoryBlocks, scheme: str
):
    cid = blocks.links["index.html"].cid
    blocks.kept[cid] = b"<p>forged"
    answer = await get(address, f"/ipfs/{cid}?format={scheme}")

    assert answer.status == 404
    assert b"forged" not in answer.body


@pytest.mark.parametrize("scheme", ["raw", "car"])
@pytest.mark.parametrize("path", ["index.html", "archive/long.tar"])
async def test_head_says_what_get_would(address: str, blocks: MemoryBlocks, scheme: str, path: str):
    target = f"/ipfs/{blocks.links[path].cid}?format={scheme}"
    whole = await get(address, target)
    bare = await get(address, target, method="HEAD")

    assert (bare.status, bare.body) == (200, b"")
    assert bare.headers | {"date": ""} == whole.headers | {"date": ""}


@pytest.mark.parametrize("query", ["format=raw", "format=car", "format=car&dag-scope=block"])
async def test_what_is_unchanged_is_not_sent_again(address: str, blocks: MemoryBlocks, query: str):
    target = f"/ipfs/{blocks.top}?{query}"
    tag = (await get(address, target)).headers["etag"]
    again = await get(address, target, f'If-None-Match: "x", W/{tag}')

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "public, max-age=29030400, immutable"


async def test_archives_that_differ_have_other_tags(address: str, blocks: MemoryBlocks):
    below = ["", "/a", "/a/b"]
    queries = ["", "&dag-scope=block", "&dag-scope=entity", "&car-dups=y"]
    tags = {
        (await get(address, f"/ipfs/{blocks.top}{path}?format=car{query}", method="HEAD")).headers[
            "etag"
        ]
        for path in below
        for query in queries
    }

    assert len(tags) == len(below) * len(queries)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_probe_is_answered(address: str, method: str):
    for query, lines in (("", ()), ("?format=raw", ()), ("", (f"Accept: {RAW}",))):
        answer = await get(address, f"/ipfs/bafkqaaa{query}", *lines, method=method)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-type"] == RAW


async def test_the_probe_is_an_archive_of_nothing(address: str):
    answer = await get(address, "/ipfs/bafkqaaa?format=car")
    root = bytes.fromhex("d82a450001550000")  # tag 42, a zero byte, the CID

    assert answer.headers["content-type"] == f"{CAR}; version=1; order=dfs; dups=n"
    assert answer.body[1:] == b"\xa2\x65roots\x81" + root + b"\x67version\x01"
    assert answer.body[0] == len(answer.body) - 1


async def test_a_block_has_no_path(address: str, blocks: MemoryBlocks):
    assert (await get(address, f"/ipfs/{blocks.top}/index.html?format=raw")).status == 400


async def test_without_blocks_there_is_no_gateway(tmp_path: Path):
    async with serve(tmp_path, host="127.0.0.1", port=0) as address:
        answer = await get(address, "/ipfs/bafkqaaa?format=raw")

    assert answer.status == 404


# Archives.


@pytest.mark.parametrize("path", ["", "a", "a/b", "archive", "archive/long.tar", "a/b/1.html"])
async def test_an_archive_has_every_block_below_once_and_depth_first(
    address: str, blocks: MemoryBlocks, path: str
):
    cid = blocks.places.get(path) or blocks.links[path].cid
    root, found = archive(await get(address, f"/ipfs/{cid}?format=car"))

    assert root == cid
    assert [each for each, _ in found] == once(expected(blocks, cid))


async def test_an_archive_with_dups_has_each_as_often_as_it_is_there(
    address: str, blocks: MemoryBlocks
):
    answer = await get(address, f"/ipfs/{blocks.places['a']}", f"Accept: {CAR}; dups=y")
    found = [cid for cid, _ in archive(answer)[1]]

    assert answer.headers["content-type"].endswith("dups=y")
    assert found == expected(blocks, blocks.places["a"])
    assert len(found) > len(once(found))


@pytest.mark.parametrize(
    ("path", "scope", "way", "end"),
    [
        ("a/b/1.html", "all", ["", "a", "a/b"], "file"),
        ("a/b/1.html", "block", ["", "a", "a/b"], "block"),
        ("a/b", "all", ["", "a"], "all"),
        ("a/b", "entity", ["", "a"], "block"),
        ("a/b", "block", ["", "a"], "block"),
        ("archive/long.tar", "all", ["", "archive"], "file"),
        ("archive/long.tar", "entity", ["", "archive"], "file"),
        ("archive/long.tar", "block", ["", "archive"], "block"),
        ("", "block", [], "block"),
        ("", "entity", [], "block"),
    ],
)
async def test_an_archive_of_a_path_has_the_way_there_and_what_was_asked(
    address: str, blocks: MemoryBlocks, path: str, scope: str, way: list[str], end: str
):
    target = f"/ipfs/{blocks.top}/{path}?format=car&dag-scope={scope}"
    root, found = archive(await get(address, target))
    cid = blocks.places.get(path) or blocks.links[path].cid
    ends = [cid] if end == "block" else once(expected(blocks, cid))

    assert root == blocks.top
    assert [each for each, _ in found] == [blocks.places[place] for place in way] + ends


@pytest.mark.parametrize(
    ("span", "chunks"),
    [
        ("0:*", [0, 1, 2, 3]),
        ("0:0", [0]),
        (f"0:{CHUNK - 1}", [0]),
        (f"0:{CHUNK}", [0, 1]),
        (f"{CHUNK - 1}:{2 * CHUNK}", [0, 1, 2]),
        (f"{CHUNK}:{CHUNK}", [1]),
        ("-1:*", [3]),
        ("-99999999999:0", [0]),
        (f"{2 * CHUNK}:-1", [2, 3]),
        (f"{2 * CHUNK}:999999999999", [2, 3]),
        ("5:4", []),
        ("99999999999:*", []),
        ("0:-99999999999", []),
    ],
)
async def test_a_part_of_a_file_comes_with_no_block_too_many(
    address: str, blocks: MemoryBlocks, span: str, chunks: list[int]
):
    target = f"/ipfs/{blocks.places['archive']}/long.tar?format=car&entity-bytes={span}"
    _, found = archive(await get(address, target))
    parts = [Cid.of(each) for each in chunked(LONG)]

    assert len(parts) == 4
    assert [cid for cid, _ in found] == [
        blocks.places["archive"],
        blocks.links["archive/long.tar"].cid,
        *(parts[number] for number in chunks),
    ]


async def test_a_part_of_what_has_no_bytes_is_the_entity(address: str, blocks: MemoryBlocks):
    for path in ("a", "a/b/1.html", "tile/0"):
        answers = [
            await get(address, f"/ipfs/{blocks.top}/{path}?format=car&{query}")
            for query in ("entity-bytes=0:1", "dag-scope=entity")
        ]
        assert answers[0].body == answers[1].body
        assert answers[0].headers["etag"] != answers[1].headers["etag"]


async def test_a_file_of_many_equal_parts_is_cut_right(tmp_path: Path):
    blocks = MemoryBlocks({"zeros.tar": bytes(5 * CHUNK) + b"end"})
    async with serving(tmp_path, blocks) as address:
        target = f"/ipfs/{blocks.links['zeros.tar'].cid}?format=car&entity-bytes={CHUNK}:-1"
        once_ = archive(await get(address, target))[1]
        twice = archive(await get(address, f"{target}&car-dups=y"))[1]

    assert [len(data) for _, data in once_][1:] == [CHUNK, 3]
    assert [len(data) for _, data in twice][1:] == [*[CHUNK] * 4, 3]


async def test_a_path_leads_through_a_sharded_folder(address: str, blocks: MemoryBlocks):
    assert Folder.parse(blocks.kept[blocks.places["tile/0"]]).sharded
    for number in (0, 17, 5_999):
        path = f"tile/0/{number:05}.p/1"
        _, found = archive(await get(address, f"/ipfs/{blocks.top}/{path}?format=car"))

        assert found[-1] == (blocks.links[path].cid, FILES[path])
        assert [cid for cid, _ in found][:3] == [blocks.places[p] for p in ("", "tile", "tile/0")]
        assert 5 <= len(found) <= 8


async def test_a_sharded_folder_as_entity_has_its_shards_and_no_files(
    address: str, blocks: MemoryBlocks
):
    target = f"/ipfs/{blocks.places['tile/0']}?format=car&dag-scope=entity"
    _, found = archive(await get(address, target))
    shards = {cid for place, cid in blocks.places.items() if place.startswith("tile/0//")}

    assert {cid for cid, _ in found} == {*shards, blocks.places["tile/0"]}
    assert len(shards) > 100


@pytest.mark.parametrize(
    "path",
    [
        *("nothing", "a/nothing", "index.html/x", "archive/long.tar/x", "tile/0/x", "tile/0/00"),
        *("a//b", "a/./b", "a/../a", "%2e%2e", "a%2fb", "%00", "é", "A", "x" * 2000),
    ],
)
async def test_a_path_that_leads_nowhere_is_not_found(
    address: str, blocks: MemoryBlocks, path: str
):
    answer = await get(address, f"/ipfs/{blocks.top}/{path}?format=car")

    assert answer.status in (400, 404)
    assert answer.status == 404 or path == "é"


@pytest.mark.parametrize("forged", [True, False])
async def test_an_archive_that_cannot_be_whole_has_no_end(
    address: str, blocks: MemoryBlocks, forged: bool, caplog: pytest.LogCaptureFixture
):
    cid = Cid.of(LONG[2 * CHUNK : 3 * CHUNK])
    if forged:
        blocks.kept[cid] = b"forged"
    else:
        del blocks.kept[cid]
    answer = await get(address, f"/ipfs/{blocks.places['archive']}?format=car")

    assert answer.status == 200
    assert len(answer.body) > CHUNK
    assert not answer.body.endswith(b"0\r\n\r\n")
    assert b"forged" not in answer.body
    assert f"could not answer, or not to the end: car: {cid}: missing or damaged" in caplog.text


async def test_a_long_archive_ends_early_unless_duplicates_may_come(
    tmp_path: Path, blocks: MemoryBlocks
):
    async with serving(tmp_path, blocks, Manners(max_car_blocks=100)) as address:
        target = f"/ipfs/{blocks.places['tile']}?format=car"
        cut = await get(address, target)
        whole_ = await get(address, f"{target}&car-dups=y")

    assert not cut.body.endswith(b"0\r\n\r\n")
    assert len(archive(whole_)[1]) == len(expected(blocks, blocks.places["tile"]))


async def test_a_damaged_folder_is_no_way(address: str, blocks: MemoryBlocks):
    for block in (b"", b"\x12", b"\x12\x26\x0a\x24" + bytes(36), b"\x0a\x02\x08\x01x"):
        cid = Cid.of(block, codec=DAG_PB)
        blocks.kept[cid] = block
        assert (await get(address, f"/ipfs/{cid}/x?format=car")).status == 404
        assert (await get(address, f"/ipfs/{cid}?format=car")).status == 200


async def test_an_older_protocol_gets_an_archive_to_the_end_of_the_connection(
    address: str, blocks: MemoryBlocks
):
    reader, writer = await asyncio.open_connection(*split(address))
    writer.write(f"GET /ipfs/{blocks.places['archive']}?format=car HTTP/1.0\r\n\r\n".encode())
    answer = Got.parse(await everything(reader))
    writer.close()
    _, found = car.read(io.BytesIO(answer.body).read)

    assert "transfer-encoding" not in answer.headers
    assert [cid for cid, _ in found] == expected(blocks, blocks.places["archive"])


# Limits.


async def ask_slowly(address: str, cid: Cid) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*split(address), limit=1024)
    writer.write(f"GET /ipfs/{cid}?format=car&car-dups=y HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    return reader, writer


async def test_archives_at_once_are_bounded_and_slow_ones_are_cut(tmp_path: Path):
    data = b"".join(bytes([number]) * CHUNK for number in range(1, 41))
    blocks = MemoryBlocks({"long.tar": data})
    manners = Manners(max_cars=2, answer_s=0.5)
    async with serving(tmp_path, blocks, manners) as address:
        slow = [await ask_slowly(address, blocks.top) for _ in range(2)]
        target = f"/ipfs/{blocks.top}?format=car"
        refused = await get(address, target)
        block = await get(address, f"/ipfs/{blocks.top}?format=raw")
        await asyncio.sleep(1.2)
        asked = blocks.asked
        after = await get(address, target)
        for _, writer in slow:
            writer.transport.abort()

    assert (refused.status, block.status, after.status) == (503, 200, 200)
    assert int(refused.headers["retry-after"])
    assert asked < 60  # 82 are those of two whole archives
    assert len(archive(after)[1]) == 42


async def test_a_tree_that_the_disk_damaged_is_unavailable_until_it_is_built_anew(tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_bytes(b"<p>page")
    db = Database.open(tmp_path / "state.db", origin="test")
    dag = Dag(db, tmp_path / "site")
    dag.rebuild()
    with db.transaction():
        db.execute("UPDATE dag SET piece=x'12'")
    target = f"/ipfs/{Cid.of(b'<p>page')}?format=raw"
    async with serving(tmp_path, dag) as address:
        damaged = await get(address, target)
        dag.forget_damaged()
        forgotten = await get(address, target)
        dag.rebuild()
        after = await get(address, target)
    db.close()

    assert (damaged.status, forgotten.status, after.status) == (503, 404, 200)


async def test_a_reader_who_leaves_ends_the_archive(tmp_path: Path):
    data = b"".join(bytes([number]) * CHUNK for number in range(1, 41))
    blocks = MemoryBlocks({"long.tar": data})
    async with serving(tmp_path, blocks, Manners(max_cars=1)) as address:
        for _ in range(5):
            _, writer = await ask_slowly(address, blocks.top)
            writer.transport.abort()
            await asyncio.sleep(0.1)
        answer = await get(address, f"/ipfs/{blocks.top}?format=car&dag-scope=block")

    assert answer.status == 200


async def test_the_gateway_keeps_its_connections(address: str, blocks: MemoryBlocks):
    reader, writer = await asyncio.open_connection(*split(address))
    for path in ("index.html", "a/b/1.html", "archive/long.tar"):
        cid = blocks.links[path].cid
        writer.write(f"GET /ipfs/{cid}?format=raw HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(len(blocks.kept[cid]))
        assert b"Connection" not in head
        assert Cid.of(body, codec=cid.codec) == cid
    writer.close()
