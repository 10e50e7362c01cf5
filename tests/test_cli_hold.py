"""The verbs of an operator who looks first: what each says, does, and leaves to a daemon."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import story
from newsroom import Newsroom, feed, item

from mirror import cli
from mirror.article.identity import Identity
from mirror.cli import terminal
from mirror.cli.reading import changes, lines_of
from mirror.database import Database
from mirror.formats.paths import short_id
from mirror.formats.url import article_id
from mirror.hold import Hold, Proposal

RSS = "application/rss+xml"
ORIGIN = "test.example/news"
MIRROR = str(Path(sys.executable).with_name("mirror"))
HOLDER = (
    "import sys; from pathlib import Path; from mirror.state import State\n"
    "held = State.open(Path(sys.argv[1]), origin=sys.argv[2]); print(flush=True); sys.stdin.read()"
)


def address(number: int) -> str:
    return f"https://news.example/story/{number}"


def short(number: int) -> str:
    return short_id(article_id(address(number)))


class Operator:
    """Who types verbs about one mirror, whose feed has what `says` was told."""

    def __init__(
        self, folder: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.newsroom, self.capsys = folder, newsroom, capsys
        self.out = self.err = ""
        named = ("--name", "N", "--origin", ORIGIN, "--feed", newsroom.url("/feed"))
        assert self.run("init", folder, *named, "--allow-host", newsroom.address) == 0

    def run(self, *arguments: object) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        self.out, self.err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def __call__(self, verb: str, *more: object) -> int:
        return self.run(verb, "-c", self.folder / "mirror.toml", *more)

    def says(self, *texts: str, **fields: str) -> None:
        items = [item(n, text=text, **fields) for n, text in enumerate(texts, 1)]
        self.newsroom.says("/feed", feed(*items[::-1]), content_type=RSS)

    def waits(self, *texts: str) -> None:
        """Let stories with these texts wait for an approval."""
        self.says(*texts)
        assert self("hold") == 0
        assert self("once") == 0

    def json(self, verb: str, *more: object) -> dict:
        assert self(verb, *more, "--json") == 0
        return json.loads(self.out)

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in self.json("waiting")["waiting"]]

    def published(self) -> set[str]:
        site = self.folder / "site" / "a"
        return {
            each.read_text().split("<h1")[1].split(">")[1].split("<")[0]
            for each in site.glob("*/*/*/*/1.html")
        }


@pytest.fixture
def operator(tmp_path: Path, newsroom: Newsroom, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path / "m", newsroom, capsys)


# Looking.


def test_what_waits_is_shown_with_its_address_and_when_it_goes_out(operator: Operator):
    operator.waits("one", "two")

    assert operator("waiting") == 0

    first, columns, *rows = operator.out.splitlines()

    assert first.startswith("2 waiting; holding since 20")
    assert columns.split()[0] == "ID"
    assert [row.split()[0] for row in rows] == [short(1), short(2)]
    assert ["until approved" in row and address(n) in row for n, row in enumerate(rows, 1)] == [
        True,
        True,
    ]


def test_once_says_how_many_wait(operator: Operator):
    operator.waits("one", "two")

    assert operator("once") == 0
    assert "\n2 waiting: `mirror waiting` shows them\n" in operator.out
    assert operator.json("once")["waiting"] == 2


def test_the_delay_of_the_settings_is_waited_for(operator: Operator):
    file = operator.folder / "mirror.toml"
    file.write_text(file.read_text().replace("delay_s = 0", "delay_s = 3600"))
    operator.says("one")
    operator("once")
    shown = operator.json("waiting")
    [waiting] = shown["waiting"]

    assert (shown["delay_s"], shown["holding"], operator.published()) == (3600, None, set())
    assert waiting["due"] > waiting["since"]

    file.write_text(file.read_text().replace("delay_s = 3600", "delay_s = 0"))
    operator("once")

    assert operator.published() == {"Story number 1"}


def test_a_text_is_shown_with_where_its_links_lead(operator: Operator):
    operator.waits("Read <a href='https://evil.example/?a=1&amp;b=2'>this</a>.")

    assert operator("waiting", "--show", short(1)) == 0
    assert "Read this [https://evil.example/?a=1&b=2]." in operator.out
    assert operator.json("waiting", "--show", short(1))["text"][0] == "Story number 1"


def test_of_an_edit_it_is_shown_what_changes(operator: Operator):
    operator.says("First words.")
    operator("once")
    operator.waits("Other words.")

    assert operator("waiting", "--show", short(1)) == 0
    assert "revision 2, until approved" in operator.out
    assert "\n-First words.\n+Other words.\n" in operator.out

    changed = operator.json("waiting", "--show", short(1))["changes"]

    assert [line for line in changed if line.startswith(("-F", "+O"))] == [
        "-First words.",
        "+Other words.",
    ]


def test_nothing_that_steers_a_terminal_gets_there_from_what_waits(operator: Operator):
    steering = "evil\x1b[2J\x07\x9b31m\u202egpj.exe\x7f"
    items = feed(item(1, title=steering, text=steering)).replace("\x1b", "&#27;")
    operator.newsroom.says("/feed", items, content_type=RSS)
    operator("hold")
    operator("once")
    operator("waiting")
    shown = operator.out
    operator("waiting", "--show", short(1))
    shown += operator.out
    operator("approve", "evil\x1b[2J")
    shown += operator.err

    assert "evil" in shown
    assert {c for c in shown if not c.isprintable()} <= {"\n"}


def test_lines_are_paragraphs_cells_and_items():
    blocks = '<ul><li>a</li><li>b <em>c</em></li></ul>\n<p>1 &lt; 2<br>d\ne</p><p title="x>y">f</p>'

    assert lines_of("T", blocks) == ["T", "a", "b c", "1 < 2", "d", "e", "f"]


def test_a_comparison_that_would_take_long_or_has_no_other_side_is_not_made():
    assert changes(["x"] * 6000, ["x"])[0].startswith("(no comparison: more than 5000")
    assert changes(None, ["x"])[0].startswith("(no comparison: the published text is not")


# Verdicts.


def test_what_is_approved_goes_out_and_what_is_rejected_does_not(operator: Operator):
    operator.waits("one", "two", "three")

    assert operator("approve", short(1)) == 0
    assert operator.out.startswith("Approved 1: published at the next cycle")
    assert operator("reject", short(2)[:6]) == 0
    assert operator.out == "Rejected 1: dropped, and proposed again only when edited.\n"

    operator("once")

    assert operator.published() == {"Story number 1"}
    assert operator.ids == [short(3)]


def test_an_article_is_named_by_its_address_too(operator: Operator):
    operator.waits("one", "two")

    assert operator("approve", "http://news.example/story/2?utm_source=x") == 0
    assert operator.json("waiting")["waiting"][1]["approved"] is True


def test_words_that_were_edited_since_they_were_shown_are_not_approved(operator: Operator):
    operator.waits("one")
    words = operator.json("waiting")["waiting"][0]["words"]
    operator("waiting", "--show", short(1))

    assert f"{short(1)}@{words}" in operator.out

    operator.says("two")
    operator("once")

    assert operator("approve", f"{short(1)}@{words}") == terminal.USAGE
    assert "it was edited since" in operator.err

    words = operator.json("waiting")["waiting"][0]["words"]

    assert operator("approve", f"{short(1)}@{words}") == 0


def test_all_that_waits_is_approved_or_rejected_at_once(operator: Operator):
    operator.waits("one", "two")

    assert operator.json("approve", "--all")["ids"] == [short(1), short(2)]
    assert operator.json("reject", "--all")["waiting"] == 0
    assert operator("reject", "--all") == terminal.FAILED
    assert operator.err == "mirror: nothing waits\n"


def test_what_is_held_by_name_waits_until_it_is_released(operator: Operator):
    operator.waits("one", "two")

    assert operator("hold", short(1)) == 0
    assert operator.out == "Held 1: each waits until it is approved or released.\n"
    assert operator("release") == 0
    assert "but for 1 held by name" in operator.out

    operator("once")

    assert operator.published() == {"Story number 2"}
    assert operator("release", short(1)) == 0
    assert operator.out == "Released 1: due when the delay is over.\n"
    assert operator("release", short(1)) == terminal.FAILED
    assert operator.err == "mirror: none of these is held by name\n"

    operator("once")

    assert operator.published() == {"Story number 1", "Story number 2"}


def test_a_stop_ends_with_a_release_and_says_its_reason_until_then(operator: Operator):
    operator.says("one")

    assert operator("stop", "--reason", "a letter\x1b[2J came") == 0
    assert operator.out.startswith("Stopped: nothing more is published until `mirror release`")

    operator("once")
    operator("approve", "--all")

    assert operator.out == "Approved 1: published after `mirror release`: all is stopped.\n"

    operator("once")
    operator("waiting")

    assert "a letter\ufffd[2J came" in operator.out
    assert "approved, stopped" in operator.out
    assert operator.published() == set()
    assert operator("release") == 0

    operator("once")

    assert operator.published() == {"Story number 1"}
    assert operator("release") == terminal.FAILED
    assert operator.err == "mirror: nothing was held or stopped\n"


def test_what_is_being_published_takes_no_verdict_while_a_daemon_runs(operator: Operator):
    operator.waits("one", "two")
    operator("approve", short(1))
    with beside(operator) as hold:
        hold.take(now=1 << 40, delay_s=0, most=1)

    with locked(operator.folder / "state.db"):
        assert operator("reject", short(1)) == terminal.FAILED
        assert operator.err == (
            f"mirror: {short(1)}: being published just now: nothing was changed\n"
        )
        assert operator("hold", short(1)) == terminal.FAILED
        assert operator.json("reject", "--all")["ids"] == [short(2)]

    assert operator("reject", short(1)) == 0


# Names that are none.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("suy", "nothing waits so"),
        ("zzzzzz", "nothing waits so: `mirror waiting` shows what does"),
        (short(1)[:10] + "zz", f"nothing waits so: near are {short(1)}"),
        (address(3), f"nothing waits so: near are {address(1)}"),
        ("mailto:/x", "only http and https"),
        (short(1) + "@00", "it was edited since"),
    ],
)
def test_a_name_of_nothing_is_2_and_changes_nothing(operator: Operator, name: str, words: str):
    with beside_new(operator) as hold:
        put(hold, 1)
    before = operator.json("waiting")

    assert operator("approve", short(1), name) == terminal.USAGE
    assert operator.out == ""
    assert words in operator.err
    assert operator.json("waiting") == before


@pytest.mark.parametrize("verb", ["hold", "release", "reject"])
def test_no_verb_does_half_of_what_it_was_told(operator: Operator, verb: str):
    with beside_new(operator) as hold:
        put(hold, 1)
    before = operator.json("waiting")

    assert operator(verb, short(1), "zzzz") == terminal.USAGE
    assert operator.json("waiting") == before


def test_a_beginning_that_several_have_names_them(operator: Operator):
    with beside_new(operator) as hold:
        put(hold, 1, as_="aaaa" + short(1)[4:])
        put(hold, 2, as_="aaaa" + short(2)[4:])

    assert operator("approve", "aaaa") == terminal.USAGE
    assert "several wait so: aaaa" in operator.err


def test_what_is_published_already_is_said_so(operator: Operator):
    operator.says("one")
    operator("once")

    assert operator("reject", short(1)) == terminal.USAGE
    assert operator.err.endswith("it does not wait: revision 1 is published\n")


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_neither_names_nor_all_is_2_and_so_are_both(operator: Operator, verb: str):
    operator.waits("one")

    assert operator(verb) == terminal.USAGE
    assert operator(verb, "--all", short(1)) == terminal.USAGE


@pytest.mark.parametrize("verb", ["waiting", "release", "approve", "reject"])
def test_before_the_first_cycle_there_is_nothing_to_decide_on(operator: Operator, verb: str):
    more = ["--all"] if verb in ("approve", "reject") else []

    assert operator(verb, *more) == terminal.USAGE
    assert "no database yet" in operator.err


@pytest.mark.parametrize("verb", ["hold", "stop"])
def test_the_very_first_cycle_can_be_held(operator: Operator, verb: str):
    operator.says("one")

    assert operator(verb) == 0

    operator("once")

    assert (operator.published(), operator.ids) == (set(), [short(1)])


# Beside a daemon.


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Let another process have the database open as a daemon has it."""
    arguments = [sys.executable, "-c", HOLDER, str(database), ORIGIN]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout
        daemon.stdout.readline()
        yield
        daemon.kill()


@contextmanager
def beside(operator: Operator) -> Iterator[Hold]:
    database = Database.beside(operator.folder / "state.db", origin=ORIGIN)
    yield Hold(database)
    database.close()


@contextmanager
def beside_new(operator: Operator) -> Iterator[Hold]:
    Database.open(operator.folder / "state.db", origin=ORIGIN).close()
    with beside(operator) as hold:
        yield hold


def put(hold: Hold, number: int, *, as_: str = "") -> None:
    """Let a small article wait."""
    article = replace(story(number), url=address(number))
    named = Identity((f"link {address(number)}",), article_id(address(number)))
    with hold._db.transaction():
        hold.keep([Proposal(article, named, "https://x/", as_ or short(number))], now=1)


def test_every_verb_works_in_a_process_of_its_own_while_another_has_the_lock(operator: Operator):
    operator.waits("one", "two")
    config = ["-c", str(operator.folder / "mirror.toml")]
    with locked(operator.folder / "state.db"):
        assert operator("once") == terminal.FAILED

        for arguments in (
            ["waiting"],
            ["hold"],
            ["hold", short(1)],
            ["release", short(1)],
            ["release"],
            ["stop", "--reason", "x"],
            ["approve", short(1)],
            ["reject", short(2)],
        ):
            done = subprocess.run(
                [MIRROR, arguments[0], *config, *arguments[1:]], capture_output=True, text=True
            )

            assert (done.returncode, done.stderr) == (0, ""), arguments
            assert arguments[0] == "waiting" or done.stdout.count("\n") == 1

        assert operator("release") == 0
        assert "no daemon runs" not in operator.out
    operator("once")

    assert operator.published() == {"Story number 1"}


def test_every_verb_answers_in_json(operator: Operator):
    operator.waits("one", "two")
    did = [
        operator.json(verb, *more)
        for verb, *more in (
            ("hold",),
            ("hold", short(1)),
            ("release", short(1)),
            ("stop", "--reason", "x"),
            ("approve", short(1)),
            ("reject", short(2)),
            ("release",),
        )
    ]

    assert [each["did"] for each in did] == [
        *("hold", "hold", "release", "stop", "approve", "reject", "release")
    ]
    assert [each["ids"] for each in did] == [
        [],
        [short(1)],
        [short(1)],
        [],
        [short(1)],
        [short(2)],
        [],
    ]
    assert [each["waiting"] for each in did] == [2, 2, 2, 2, 2, 1, 1]
    assert [each["stopped"] is not None for each in did] == [
        *(False, False, False, True, True, True, False)
    ]
    assert did[4]["reason"] == "x"
