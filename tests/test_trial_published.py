"""A mirror is tried with what is published: whatever harms readers is named, nothing is written."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fetch_servers
import pytest
from fakes import NOW, draft, open_signer
from fetch_proxies import http_proxy, socks5
from fetch_servers import encrypted
from trial_front import HABITS, Front, certificate, faults

from mirror.article.picture import Picture
from mirror.errors import FetchError, StateError
from mirror.formats.paths import CHECKPOINT
from mirror.mirrors.own import BEHIND_S, Own
from mirror.press import Press
from mirror.serve import serve
from mirror.stores.dir import DirStore
from mirror.trial import Finding, Wire, worst
from mirror.trial.judge import CURTAIN
from mirror.trial.published import try_published
from mirror.trial.tls import Offer
from mirror.trial.verdicts import DAY_S

NOISE = bytes(range(32))
WORDS = " ".join(f"{n * 7919 % 10007}" for n in range(1500))  # as a long article, packed
LATER = NOW + BEHIND_S + 1
PHOTO = "https://cdn.example/photo"
ENDINGS = "drops endings", "files", "bad", ".tlog-proof, .minisig, checkpoint (no ending)"


class Desk:
    """An operator whose newest article, of some length and with a picture, is the one drawn."""

    def __init__(self, folder: Path) -> None:
        self.signer, self.site = open_signer(folder), folder / "site"
        self.own = Own(self.signer.state.db, self.signer.root, choose=lambda count: count - 1)

    async def publish(self, *numbers: int) -> None:
        drafts = [draft(self.signer, n) for n in numbers]
        picture = Picture(PHOTO, b"%d" % numbers[0] * 9000, 480, 320, b"large" * 9000)
        blocks = f'<p><a itemprop="contentUrl" href="{PHOTO}">Photo</a></p>', f"<p>{WORDS}</p>"
        shown = [replace(e.article, blocks=blocks, pictures=(picture,)) for e in drafts]
        drafts = [replace(e, article=a) for e, a in zip(drafts, shown, strict=True)]
        assert self.signer.append(drafts, now=NOW) == {}
        await Press(self.signer, DirStore(self.site)).publish(now=lambda: NOW)

    async def tries(self, front: Front, *, now: int = NOW) -> dict[str, Finding]:
        async with fetch_servers.site(front.answer) as host:
            wire = Wire(allow_hosts=[host])
            url = f"http://{host}/"
            found = await try_published(url, wire, self.own, self.site, noise=NOISE, now=now)

        assert len({each.what for each in found}) == len(found)
        return {each.what: each for each in found}


@pytest.fixture
async def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "m")
    await desk.publish(1, 2)
    yield desk
    desk.signer.state.close()


async def test_a_good_mirror_is_asked_for_nine_files_and_no_more(desk: Desk):
    front = Front(desk.site)
    found = await desk.tries(front, now=LATER)

    assert faults(found) == {}
    assert sorted(path.rpartition("/")[2].partition(".")[2] for path in front.asked) == [
        *("", *["html"] * 4, "html.minisig", "html.tlog-proof", "json", "webp")
    ]
    assert len(set(front.asked)) == 9


async def test_what_is_put_into_what_changes_only_is_seen_once_a_copy_must_have_it(desk: Desk):
    front = Front(desk.site, "adds to heads")

    assert faults(await desk.tries(front, now=LATER - 1)) == {}
    found = await desk.tries(front, now=LATER)

    assert found["bytes"].saw == ".html: a script was put in"


async def test_a_checkpoint_in_place_of_a_page_is_other_bytes(desk: Desk, tmp_path: Path):
    shutil.copytree(desk.site, tmp_path / "copy")
    for page in (tmp_path / "copy").glob("a/**/index.html"):
        shutil.copyfile(desk.site / CHECKPOINT, page)
    found = await desk.tries(Front(tmp_path / "copy"), now=LATER)

    assert found["bytes"].level == "bad"


async def test_what_our_own_site_shows_otherwise_is_not_asked_for(desk: Desk):
    for page in desk.site.glob("a/**/index.html"):
        page.unlink()  # not overwritten: it is one file with the revision's
        page.write_bytes(b"withdrawn meanwhile")

    assert faults(await desk.tries(Front(desk.site), now=LATER)) == {}


async def test_a_link_that_no_browser_obeys_is_no_fault(desk: Desk):
    assert faults(await desk.tries(Front(desk.site, "links"))) == {}


async def test_no_answer_is_larger_than_a_page_may_be(desk: Desk):
    found = await desk.tries(Front(desk.site))

    most = int(found["size"].saw.partition(" B at most")[0].replace(",", ""))
    assert 5000 < most <= CURTAIN


@pytest.mark.parametrize(("habit", "what", "level", "words"), [*HABITS, ENDINGS])
async def test_a_bad_habit_is_named_with_what_to_do(
    desk: Desk, habit: str, what: str, level: str, words: str
):
    found = await desk.tries(Front(desk.site, habit))

    assert found[what].level == level
    assert words in found[what].saw
    assert len(found[what].do) > 20
    assert worst(found.values()) == level


async def test_a_mirror_that_has_not_all_yet_is_asked_for_what_it_has(desk: Desk, tmp_path: Path):
    shutil.copytree(desk.site, tmp_path / "copy")
    await desk.publish(3, 4)

    assert faults(await desk.tries(Front(tmp_path / "copy"))) == {}


async def test_a_proof_that_was_made_anew_is_no_fault(desk: Desk, tmp_path: Path):
    shutil.copytree(desk.site, tmp_path / "copy")
    for proof in desk.site.glob("a/**/*.tlog-proof"):
        proof.write_bytes(b"made later, with more cosigners")

    assert faults(await desk.tries(Front(tmp_path / "copy"))) == {}


async def test_a_damaged_file_of_our_own_is_not_held_against_a_mirror(desk: Desk, tmp_path: Path):
    shutil.copytree(desk.site, tmp_path / "copy")
    for document in desk.site.glob("index/*.json"):
        document.write_bytes(b"damaged")
    assert faults(await desk.tries(Front(tmp_path / "copy"))) == {}

    for page in desk.site.glob("a/**/1.html"):
        page.write_bytes(b"damaged")
    with pytest.raises(FetchError, match="no article that it should have"):
        await desk.tries(Front(tmp_path / "copy"))


async def test_a_damaged_database_of_our_own_is_told_and_not_held_against_a_mirror(desk: Desk):
    state = desk.signer.state
    with state.transaction():
        state.db.execute("UPDATE leaf SET record=x'00' WHERE leaf=?", (state.log().size - 1,))

    with pytest.raises(StateError, match=r"state\.db: damaged: "):
        await desk.tries(Front(desk.site))


@pytest.mark.parametrize(
    ("habit", "words"),
    [
        ("is ill", "status 503: asked again later"),
        ("lets nobody in", "it shows nothing: status 403"),
    ],
)
async def test_of_one_that_shows_nothing_nothing_is_known(desk: Desk, habit: str, words: str):
    with pytest.raises(FetchError, match=words):
        await desk.tries(Front(desk.site, habit))


async def test_of_one_that_does_not_answer_nothing_is_known(desk: Desk):
    async with fetch_servers.raw() as host:
        wire = Wire(allow_hosts=[host])
        with pytest.raises(FetchError, match="closed before an answer"):
            await try_published(f"http://{host}/", wire, desk.own, desk.site, noise=NOISE, now=NOW)


async def test_before_anything_is_published_nobody_is_judged(tmp_path: Path):
    desk = Desk(tmp_path / "m")
    desk.site.mkdir()
    with pytest.raises(FetchError, match="no article that it should have"):
        await desk.tries(Front(desk.site))
    desk.signer.state.close()


@pytest.mark.parametrize("said", [b"", b"x" * 9000, b"<html>Welcome!</html>"])
async def test_a_checkpoint_that_is_none_is_other_bytes(desk: Desk, tmp_path: Path, said: bytes):
    shutil.copytree(desk.site, tmp_path / "copy")
    (tmp_path / "copy" / CHECKPOINT).write_bytes(said)
    found = await desk.tries(Front(tmp_path / "copy"))

    assert found["bytes"].saw == "checkpoint (no ending): bytes are changed"


async def test_our_own_server_is_a_good_mirror(desk: Desk):
    async with serve(desk.site, host="127.0.0.1", port=0) as address:
        wire = Wire(allow_hosts=[address.removeprefix("http://")])
        found = await try_published(f"{address}/", wire, desk.own, desk.site, noise=NOISE, now=NOW)

    assert {each.what for each in found if each.level != "good"} == set()


@pytest.mark.parametrize("over", ["", "socks5h", "http"])
async def test_a_certificate_that_browsers_refuse_is_named_from_wherever_it_is_asked(
    desk: Desk, tmp_path: Path, over: str
):
    tls = encrypted(certificate(tmp_path / "own", first=-30, last=30))
    target = ("one.test", 8443)
    async with (
        fetch_servers.site(Front(desk.site).answer, tls) as host,
        socks5({target: host}) as socks,
        http_proxy({target: host}) as proxy,
    ):
        address = socks.address if over == "socks5h" else proxy.address
        name = "one.test:8443" if over else host
        wire = Wire(allow_hosts=[name], proxy=f"{over}://{address}" if over else "")
        [found] = await try_published(
            f"https://{name}/", wire, desk.own, desk.site, noise=NOISE, now=NOW
        )

    assert (found.what, found.level) == ("certificate", "bad")
    assert "certificate refused: self-signed certificate" in found.saw
    assert found.do.startswith("get one from an authority")


async def test_over_tls_what_is_offered_is_judged_as_well(desk: Desk):
    class Offering(Wire):
        async def offer(self, _: str) -> Offer:
            return Offer(http2=True, short=True, ends=NOW + 3 * DAY_S)

    async with fetch_servers.site(Front(desk.site).answer) as host:
        found = await try_published(
            *(f"http://{host}/", Offering(allow_hosts=[host]), desk.own, desk.site),
            noise=NOISE,
            now=NOW,
        )

    assert [(e.what, e.level) for e in found[-2:]] == [("http2", "poor"), ("certificate", "poor")]
    assert worst(found) == "poor"
