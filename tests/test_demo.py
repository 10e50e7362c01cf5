"""The first command of the README: a newsroom, a correction, and everything verified."""

import hashlib
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from fakes import NOW

from mirror import demo
from mirror.check import check
from mirror.demo import articles
from mirror.formats.root import Root

MIRROR = str(Path(sys.executable).with_name("mirror"))


async def test_the_demo_once_is_done_only_if_all_was_verified(tmp_path: Path):
    said: list[str] = []
    code = await demo.run(tmp_path / "out", once=True, say=said.append, now=lambda: NOW)
    made = tmp_path / "out"
    root = made / "root" / "1.root.json"
    report = await check(
        str(made / "site"), root=root, remember=None, now=lambda: NOW, fetcher=None
    )

    assert code == 0
    assert report.ok
    assert report.origin == Root.parse(root.read_bytes()).open.origin == "demo.invalid"
    assert len(report.articles) == len(articles.STORIES)
    assert report.revisions == len(articles.STORIES) + 1
    assert sum(each.rev == 2 for each in report.articles) == 1
    assert not any("problem" in line for line in said)
    assert len(list((made / "site").rglob("1-2.html"))) == 1  # the longest one comes in parts
    [picture] = {each.name: each for each in (made / "site").rglob("*.webp")}.values()
    assert picture.name == f"{hashlib.sha256(picture.read_bytes()).hexdigest()}.webp"
    assert f'href="{picture.name}"' in next((made / "site").rglob("2.html")).read_text()


async def test_the_demo_fails_if_something_is_not_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = demo.check

    def tamper(site: Path) -> None:
        page = next(site.rglob("2.html"))
        page.write_bytes(page.read_bytes().replace(b"<p>", b"<P>", 1))

    async def tampered(target: str, **options: object) -> object:
        tamper(Path(target))
        return await real(target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(demo, "check", tampered)
    said: list[str] = []
    code = await demo.run(tmp_path / "out", once=True, say=said.append, now=lambda: NOW)

    assert code == 1
    assert any("tampered" in line for line in said)


def test_the_demos_newsroom_writes_five_languages_and_a_teaser():
    assert {story.lang for story in articles.STORIES} == set(articles.LANGUAGES)
    assert set(articles.LANGUAGES) == {"en", "ru", "fa", "ar", "zh-Hans"}
    assert any(story.teaser for story in articles.STORIES)
    assert articles.CORRECTED.slug in {story.slug for story in articles.STORIES}
    assert articles.CORRECTED not in articles.STORIES


def test_the_demos_articles_have_all_that_a_page_can_show():
    markup = "".join(story.html for story in articles.STORIES)

    assert len(articles.STORIES) >= 12
    for tag in ("figure", "h2", "blockquote", "ul", "table", "th"):
        assert f"<{tag}>" in markup


def test_the_demo_serves_what_it_made_until_it_is_interrupted(tmp_path: Path):
    pipe = subprocess.PIPE
    arguments = [MIRROR, "demo", "--out", str(tmp_path / "out")]
    with subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout
        lines = []
        for line in running.stdout:
            lines.append(line)
            if line.startswith("Open http://127.0.0.1:"):
                break
        address = lines[-1].split()[1]
        with urllib.request.urlopen(address) as answer:
            front = answer.read().decode()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=10)

    assert articles.NAME in front
    assert (running.returncode, err) == (130, "")


def test_the_demo_leaves_nothing_behind_without_a_folder(tmp_path: Path):
    run = subprocess.run(
        [MIRROR, "demo", "--once"], env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )

    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_the_stories_are_text_and_no_markup():
    shown = json.dumps([story.paragraphs for story in articles.STORIES])

    assert "<" not in shown
