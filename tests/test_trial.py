"""A place is tried before it is announced: whatever is wrong with it is named."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import fetch_servers
import pytest
from fakes import MemoryStore
from fetch_servers import FakeResolver, encrypted, self_signed
from hypothesis import given
from hypothesis import strategies as st
from trial_front import HABITS, Front, certificate, faults

from mirror.errors import FetchError, StoreError
from mirror.fetch import Fetcher
from mirror.formats.paths import is_head, is_path
from mirror.stores import Store
from mirror.stores.dir import DirStore
from mirror.trial import Finding, Reading, Wire, try_store, worst
from mirror.trial.answer import Answer
from mirror.trial.judge import judge
from mirror.trial.probe import make_probe
from mirror.trial.tls import Offer, judge_tls, look_at_tls, refused

NOISE = bytes(range(32))
DAY = 24 * 3600
OF_STORES = [
    ("stale", "fresh", "bad", "stale: the old page still after 9 s"),
    ("sends plain text", "size", "poor", "over 12,000: cut off by some filters"),
]


class Nap:
    """Sleeps for no time; `then` is done at the first nap."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.slept: list[float] = []
        self.then = then

    async def __call__(self, seconds: float) -> None:
        if not self.slept:
            self.then()
        self.slept.append(seconds)


async def tried(
    folder: Path, *habits: str, store: Store | None = None, nap: Nap | None = None
) -> dict[str, Finding]:
    front = Front(folder, *habits)
    async with fetch_servers.site(front.answer) as host, Fetcher(allow_hosts=[host]) as fetcher:
        wire = Wire(allow_hosts=[host])
        reading = Reading(f"http://{host}/", wire, fetcher, wait_s=9.0, sleep=nap or Nap())
        found = await try_store(store or DirStore(folder), reading, noise=NOISE)
    names = [each.what for each in found]

    assert len(set(names)) == len(names)
    return {each.what: each for each in found}


def files_in(folder: Path) -> list[str]:
    return [each.name for each in folder.rglob("*") if each.is_file()]


async def test_a_good_mirror_is_found_to_be_one_and_left_as_it_was(tmp_path: Path):
    found = await tried(tmp_path)

    assert faults(found) == {}
    assert worst(found.values()) == "good"
    assert {"public", "files", "bytes", "cors", "missing", "fresh", "removal"} <= set(found)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(("habit", "what", "level", "words"), [*HABITS, *OF_STORES])
async def test_a_bad_habit_is_named_with_what_to_do(
    tmp_path: Path, habit: str, what: str, level: str, words: str
):
    found = await tried(tmp_path, habit)

    assert found[what].level == level
    assert words in found[what].saw
    assert len(found[what].do) > 20
    assert worst(found.values()) == level
    assert files_in(tmp_path) == []


async def test_files_with_unknown_endings_that_are_dropped_are_named(tmp_path: Path):
    found = await tried(tmp_path, "drops endings")

    assert found["files"].level == "bad"
    for kind in (".tlog-proof", ".minisig", ".sig", "checkpoint (no ending)", "7 (no ending)"):
        assert kind in found["files"].saw
    for kind in (".html", ".json", ".webp"):
        assert f"{kind}," not in found["files"].saw


@pytest.mark.parametrize("habit", ["answers all", "drops endings", "redirects", "loses the coding"])
async def test_programs_are_asked_too(tmp_path: Path, habit: str):
    found = await tried(tmp_path, habit)

    assert found["programs"].level == (
        "bad" if habit not in ("answers all", "redirects") else "good"
    )


async def test_an_address_that_leads_elsewhere_is_named(tmp_path: Path):
    nap = Nap()
    found = await tried(tmp_path / "elsewhere", store=DirStore(tmp_path / "site"), nap=nap)

    assert found["public"].saw == "no file is seen after 9 s"
    assert faults(found)["files"] == "bad"
    assert sum(nap.slept) >= 9


@pytest.mark.parametrize(
    ("parts", "words"),
    [((), "connection lost: closed before an answer"), ((b"SSH-2.0-\r\n",), "not http")],
)
async def test_an_address_that_does_not_answer_is_named_at_once(
    tmp_path: Path, parts: Sequence[bytes], words: str
):
    nap = Nap()
    async with fetch_servers.raw(*parts) as host, Fetcher() as fetcher:
        reading = Reading(f"http://{host}/", Wire(allow_hosts=[host]), fetcher, sleep=nap)
        found = await try_store(DirStore(tmp_path), reading, noise=NOISE)

    assert [each.what for each in found] == ["store", "answers", "removal"]
    assert words in found[1].saw
    assert nap.slept == []
    assert files_in(tmp_path) == []


async def test_a_private_address_is_not_asked(tmp_path: Path):
    async with Fetcher() as fetcher:
        reading = Reading("http://127.0.0.1:9/", Wire(), fetcher)
        found = await try_store(DirStore(tmp_path), reading, noise=NOISE)

    assert "port 9 is neither 80 nor 443" in found[1].saw
    assert worst(found) == "bad"


async def test_a_place_that_shows_files_late_is_waited_for(tmp_path: Path):
    front_folder, site = tmp_path / "front", tmp_path / "site"
    nap = Nap(lambda: front_folder.symlink_to(site))
    found = await tried(front_folder, store=DirStore(site), nap=nap)

    assert faults(found) == {}
    assert found["public"].saw == "a new file is seen after 3 s"


async def test_without_a_public_address_the_store_alone_is_tried(tmp_path: Path):
    found = await try_store(DirStore(tmp_path), None, noise=NOISE)

    assert worst(found) == "good"
    assert [each.what for each in found] == ["store", "public", "removal"]


async def test_a_store_that_does_not_keep_is_named_and_nobody_is_asked():
    class Full(MemoryStore):
        async def flush(self) -> None:
            await super().flush()
            if any(path.endswith(".tlog-proof") for path in self.kept):
                raise StoreError("memory: full: make room there")

    store = Full()
    found = await try_store(store, None, noise=NOISE)

    assert [(each.what, each.level) for each in found] == [("store", "bad"), ("removal", "good")]
    assert found[0].saw == "memory: full: make room there"


async def test_a_store_that_loses_or_hides_files_is_named():
    class Lossy(MemoryStore):
        async def put(self, path: str, data: bytes) -> None:
            await super().put(path, b"other" if path.endswith(".sig") else data)

    class Blind(MemoryStore):
        async def names(self, folder: str) -> list[str]:
            return []

    lossy, blind = [await try_store(each, None, noise=NOISE) for each in (Lossy(), Blind())]

    assert lossy[0].saw == "not kept as written: .sig"
    assert blind[0].saw == "not kept as written: written and not listed"


async def test_what_cannot_be_removed_is_named():
    class Sticky(MemoryStore):
        async def delete(self, path: str) -> None:
            if not path.endswith(".webp"):
                await super().delete(path)

    found = await try_store(Sticky(), None, noise=NOISE)

    assert found[-1].level == "bad"
    assert found[-1].saw.startswith("not removed: a/")


# How it is asked.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("http://news.example/", "192.168.0.7 is not a public address"),
        ("http://abc.onion/", "reached over a proxy only"),
        ("http://news.example:22/", "port 22 is neither 80 nor 443"),
    ],
)
async def test_no_private_address_is_asked(url: str, words: str, monkeypatch: pytest.MonkeyPatch):
    resolver = FakeResolver(news_example=["192.168.0.7"])
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda *_, **__: resolver)
    with pytest.raises(FetchError, match=words):
        await Wire().ask(url)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (1 << 21)), "too large"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",), "cut short"),
        ((b"SSH-2.0-OpenSSH\r\n",), "not http|connection lost"),
    ],
)
async def test_an_answer_that_is_none_is_named(parts: Sequence[bytes], words: str):
    async with fetch_servers.raw(*parts) as host:
        with pytest.raises(FetchError, match=words):
            await Wire(allow_hosts=[host]).ask(f"http://{host}/")


async def test_a_server_that_never_ends_is_given_up():
    async with fetch_servers.raw(b"HTTP/1.1 200 OK\r\n\r\n", hold=True) as host:
        with pytest.raises(FetchError, match="too slow: not done in"):
            await Wire(allow_hosts=[host], timeout_s=0.2).ask(f"http://{host}/")


async def test_the_size_is_that_on_the_wire():
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nX-A: b\r\n\r\nhello"
    async with fetch_servers.raw(sent) as host:
        answer = await Wire(allow_hosts=[host]).ask(f"http://{host}/")

    assert answer.size == len(sent)
    assert answer.closes
    assert answer.version == "1.1"


# The connection before the request.


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a certificate that this process believes when it asks for the first time."""
    file = self_signed(tmp_path / "own.pem", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.mark.parametrize("spoken", ["h2", "http/1.1"])
async def test_what_is_offered_before_a_request_is_seen(trusted: Path, spoken: str):
    tls = encrypted(trusted)
    tls.set_alpn_protocols([spoken])
    async with fetch_servers.raw(tls=tls) as host:
        url = f"https://{host.replace('127.0.0.1', 'localhost')}/"
        offer = await look_at_tls(url, exempt=True)

        with pytest.raises(FetchError, match="is not a public address"):
            await look_at_tls(url)

    assert offer is not None
    assert (offer.http2, offer.short) == (spoken == "h2", True)
    left_s = offer.ends - time.time()
    assert 0 < left_s < 2 * 24 * 3600


async def test_a_certificate_of_another_name_is_named(trusted: Path):
    async with fetch_servers.raw(tls=encrypted(trusted)) as host:
        with pytest.raises(FetchError, match="tls: certificate refused: ip address mismatch"):
            await look_at_tls(f"https://{host}/", exempt=True)


@pytest.mark.parametrize(
    ("days", "known", "saw", "do"),
    [
        ((-30, -1), True, "certificate has expired", "renew it"),
        ((1, 30), True, "certificate is not yet valid", "see that the clocks are right"),
        ((-30, 30), False, "self-signed certificate", "get one from an authority"),
    ],
)
async def test_a_certificate_that_browsers_refuse_is_named_with_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: tuple[int, int],
    known: bool,
    saw: str,
    do: str,
):
    own = certificate(tmp_path / "own", first=days[0], last=days[1])
    other = certificate(tmp_path / "other", first=-1, last=1)
    monkeypatch.setenv("SSL_CERT_FILE", str(own if known else other))
    async with fetch_servers.raw(tls=encrypted(own)) as host:
        with pytest.raises(FetchError) as caught:
            await look_at_tls(f"https://{host}/", exempt=True)
    found = refused(caught.value)

    assert found is not None
    assert (found.what, found.level) == ("certificate", "bad")
    assert found.saw == f"tls: certificate refused: {saw}"
    assert found.do.startswith(do)


async def test_an_error_of_another_kind_is_not_the_certificates():
    with pytest.raises(FetchError) as caught:
        await Wire().ask("http://127.0.0.1/")

    assert refused(caught.value) is None


async def test_without_tls_nothing_is_offered():
    assert await look_at_tls("http://127.0.0.1:9/") is None


@pytest.mark.parametrize(
    ("offer", "levels"),
    [
        (Offer(http2=False, short=True, ends=90 * DAY), {"http2": "good", "certificate": "good"}),
        (Offer(http2=True, short=True, ends=90 * DAY), {"http2": "poor", "certificate": "good"}),
        (Offer(http2=False, short=False, ends=90 * DAY), {"http2": "good", "certificate": "poor"}),
        (Offer(http2=False, short=True, ends=3 * DAY), {"http2": "good", "certificate": "poor"}),
    ],
)
def test_what_is_offered_is_judged(offer: Offer, levels: dict[str, str]):
    assert {each.what: each.level for each in judge_tls(offer, now=0)} == levels


# What browsers obey, though the bytes are ours.

T = "https://t.example"
OBEYED = [
    ("Link", f"<{T}/p.png>; rel=preload; as=image", "redirects", "bad"),
    ("Link", f'<{T}>; rel="dns-prefetch"', "redirects", "bad"),
    ("Link", f"<{T}>; rel=Preconnect", "redirects", "bad"),
    ("Link", f"<{T}/p>; rel=prerender", "redirects", "bad"),
    ("Speculation-Rules", '"/rules.json"', "redirects", "bad"),
    ("Onion-Location", "http://host.onion/", "redirects", "bad"),
    ("Content-Disposition", 'Attachment; filename="1.html"', "shown", "bad"),
    ("Content-Security-Policy", "default-src 'none'; sandbox allow-scripts", "shown", "bad"),
    ("Content-Security-Policy", f"img-src 'self';report-uri {T}/r", "reports", "bad"),
    ("Content-Security-Policy-Report-Only", "img-src 'none', report-to a", "reports", "bad"),
    ("NEL", '{"report_to":"a","max_age":9,"success_fraction":0.05}', "reports", "bad"),
    ("NEL", '{"report_to":"cf-nel","success_fraction":0.0,"max_age":9}', "reports", "poor"),
    ("Set-Cookie2", "a=b", "cookies", "bad"),
]
HARMLESS = [
    ("Link", f"<{T}/>; rel=canonical"),
    ("Onion-Location", "http://own.onion/below/PATH"),
    ("Content-Disposition", 'inline; filename="1.html"'),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Content-Security-Policy", f"img-src {T}/sandbox {T}/report-to"),
]


def judged(name: str, value: str, *, on: str = "") -> dict[str, Finding]:
    """Return what is found where all files, or those `on` an ending, come with one field."""
    probe = make_probe(NOISE)
    seen = {
        path: Answer(200, "1.1", ((name, value.replace("PATH", path)),), data, 1000)
        for path, data in probe.files.items()
        if path.endswith(on)
    }
    return {each.what: each for each in judge(probe, seen)}


@pytest.mark.parametrize(("name", "value", "what", "level"), OBEYED)
def test_a_field_that_browsers_obey_is_named_with_what_to_do(
    name: str, value: str, what: str, level: str
):
    found = judged(name, value)[what]

    assert found.level == level
    assert name in found.saw or what == "cookies"
    assert len(found.do) > 20


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_a_field_that_leads_no_reader_elsewhere_is_no_fault(name: str, value: str):
    found = judged(name, value)

    for what in ("redirects", "shown", "reports", "cookies"):
        assert found[what].level == "good"


def test_what_is_no_page_may_be_saved_as_a_file():
    assert judged("Content-Disposition", "attachment", on=".minisig")["shown"].level == "good"


# The probe.


@given(st.binary(min_size=32, max_size=32))
def test_a_probe_is_of_paths_of_a_site_and_tells_nothing(noise: bytes):
    probe = make_probe(noise)

    for path in (*probe.files, probe.missing, probe.other_case):
        assert is_path(path)
    assert {is_head(probe.head), is_head(probe.page)} == {True, False}
    assert probe.missing not in probe.files
    assert probe.other_case not in probe.files
    assert probe.later != probe.files[probe.head]
    assert make_probe(noise[::-1] + b"x").files.keys().isdisjoint(probe.files)
