"""The box: every way to misbehave inside ends as a value outside."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import box_jobs
import pytest
from box_jobs import Book, Checked, Entry
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mirror.box import Box, Limits, Refused
from mirror.box_worker import HEAD, PART_BYTES, PART_ELEMENTS, Wire

Job = Callable[..., object]

MIB = 1 << 20
WIRE = Wire.of(box_jobs.echo)
BOOKS = Wire.of(box_jobs.book)
ENTRY = Entry("заголовок\x00", b"\xff\x00", ("a", "b"), 7)


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    limits = Limits(wall_s=5, cpu_s=2, memory_bytes=64 * MIB, answer_bytes=4 * MIB)
    async with Box(workers=1, limits=limits, packages=["box_jobs"]) as box:
        yield box


def small(**changes: float) -> Box:
    limits = {"wall_s": 5, "cpu_s": 4, "memory_bytes": 64 * MIB, "answer_bytes": 4 * MIB}
    return Box(workers=1, limits=Limits(**{**limits, **changes}), packages=["box_jobs"])


def exists(pid: int) -> bool:
    """Whether anything is left of a process, if only for its parent to collect."""
    return Path(f"/proc/{pid}").exists()


async def ended(pid: int) -> bool:
    for _ in range(100):
        if not exists(pid):
            return True
        await asyncio.sleep(0.02)
    return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def python(program: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=pipe, stderr=pipe, env=environment, text=True
    )


async def test_a_job_answers_with_the_type_it_promises(box: Box):
    answer = await box.run(box_jobs.echo, b"\x00\xfe" * 9, entry=ENTRY, count=2, flag=True)

    assert answer == (Entry(ENTRY.title, b"\x00\xfe" * 9, ENTRY.links, 7),) * 2


@pytest.mark.parametrize(
    ("chapters", "words", "index"),
    [(0, 0, 0), (1, 300_000, 0), (0, 0, 5000), (1000, 1, 10), (30, 30_000, 300)],
)
async def test_an_answer_of_any_length_is_the_same(box: Box, chapters: int, words: int, index: int):
    answer = await box.run(box_jobs.book, b"", chapters=chapters, words=words, index=index)

    assert answer == box_jobs.book(b"", chapters=chapters, words=words, index=index)


async def test_others_have_their_turn_while_a_long_answer_is_checked(box: Box):
    async def note_turns() -> None:
        while True:
            box_jobs.TURNS.append(None)
            await asyncio.sleep(0)

    box_jobs.CHECKED.clear()
    noting = asyncio.create_task(note_turns())
    await box.run(box_jobs.book, b"", chapters=1000, words=1, index=0)
    noting.cancel()

    assert len(box_jobs.CHECKED) == 1000
    assert max(Counter(box_jobs.CHECKED).values()) <= PART_ELEMENTS


async def test_an_error_in_the_midst_of_an_answer_costs_no_worker(box: Box):
    pid = await box.run(box_jobs.pid, b"")
    outcome = await box.run(box_jobs.wrong_type_at_last, b"")

    assert outcome == Refused(
        "wrong_type_at_last: crashed: PydanticSerializationError", killed=False
    )
    assert await box.run(box_jobs.pid, b"") == pid


async def test_options_not_given_are_the_jobs_own_defaults(box: Box):
    answer = await box.run(box_jobs.echo, b"", entry=ENTRY)

    assert answer == (Entry(ENTRY.title, b"", ENTRY.links, None),)


async def test_eight_megabytes_go_in_and_four_come_back(box: Box):
    body = os.urandom(8 * MIB)
    [entry] = await box.run(box_jobs.echo, body[: 2 * MIB], entry=ENTRY)

    assert entry.raw == body[: 2 * MIB]
    assert await box.run(box_jobs.pid, body) == await box.run(box_jobs.pid, b"")


async def test_an_unknown_option_is_a_bug_of_the_caller(box: Box):
    with pytest.raises(TypeError):
        await box.run(box_jobs.pid, b"", colour="red")


async def test_a_job_of_another_package_is_a_bug_of_the_caller(box: Box):
    with pytest.raises(ValueError, match="not a job of box_jobs"):
        await box.run(os.path.basename, b"")


async def test_a_package_is_not_a_prefix_of_letters():
    async with Box(packages=["box_job"]) as box:
        with pytest.raises(ValueError, match="not a job"):
            await box.run(box_jobs.pid, b"")


async def test_a_worker_serves_many_jobs_and_starts_only_when_needed(box: Box):
    pids = {await box.run(box_jobs.pid, b"") for _ in range(20)}

    assert len(pids) == 1


async def test_a_box_with_nothing_to_do_starts_nothing():
    async with Box(packages=["there_is_no_such_package"]):
        pass


async def test_a_worker_that_cannot_start_is_a_value_and_is_told(
    caplog: pytest.LogCaptureFixture,
):
    async with Box(packages=["there_is_no_such_package"]) as box:
        box._packages = ("box_jobs",)  # the parent's own check is not the subject
        outcome = await box.run(box_jobs.pid, b"")

    assert outcome == Refused("worker: did not start", killed=False)
    assert "there_is_no_such_package" in caplog.text


async def test_jobs_at_once_spread_over_the_workers():
    async with Box(workers=3, packages=["box_jobs"]) as box, asyncio.TaskGroup() as group:
        tasks = [group.create_task(box.run(box_jobs.pid_after, b"", seconds=0.3)) for _ in "abc"]

    assert len({task.result() for task in tasks}) == 3


async def test_more_jobs_than_workers_wait_their_turn():
    async with Box(workers=2, packages=["box_jobs"]) as box, asyncio.TaskGroup() as group:
        tasks = [group.create_task(box.run(box_jobs.pid_after, b"", seconds=0.01)) for _ in "a" * 9]

    assert len({task.result() for task in tasks}) == 2


async def test_a_package_is_warmed_up_before_its_first_job(box: Box):
    assert await box.run(box_jobs.warmed, b"") == ["warm"]


async def test_a_format_error_is_the_answer_and_steers_no_terminal(box: Box):
    pid = await box.run(box_jobs.pid, b"")

    assert await box.run(box_jobs.refuse, b"") == Refused(
        "feed: no entries: �[2Jgone", killed=False
    )
    assert await box.run(box_jobs.pid, b"") == pid


async def test_a_crash_is_a_value_and_its_traceback_is_told(
    box: Box, caplog: pytest.LogCaptureFixture
):
    outcome = await box.run(box_jobs.crash, b"")

    assert outcome == Refused("crash: crashed: ValueError", killed=False)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "a bug of the parser" in caplog.text
    assert "box_jobs.py" in caplog.text


async def test_a_traceback_is_bounded_and_steers_no_terminal(
    box: Box, caplog: pytest.LogCaptureFixture
):
    await box.run(box_jobs.crash_with_escapes, b"")

    assert len(caplog.text) < 20_000
    assert "\x1b" not in caplog.text
    assert "\r" not in caplog.text


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (box_jobs.recurse, "RecursionError"),
        (box_jobs.wrong_type, "PydanticSerializationError"),
        (box_jobs.surrogate, "PydanticSerializationError"),
    ],
)
async def test_a_bug_in_a_job_costs_no_worker(box: Box, job: Job, error: str):
    pid = await box.run(box_jobs.pid, b"")

    assert await box.run(job, b"") == Refused(f"{job.__name__}: crashed: {error}", killed=False)
    assert await box.run(box_jobs.pid, b"") == pid


@pytest.mark.parametrize("job", [box_jobs.loop, box_jobs.loop_in_c, box_jobs.loop_deaf])
async def test_an_endless_loop_is_killed_at_the_time_limit(job: Job):
    async with small(wall_s=0.5) as box:
        pid = await box.run(box_jobs.pid, b"")
        start = time.monotonic()
        outcome = await box.run(job, b"")
        took_s = time.monotonic() - start
        other = await box.run(box_jobs.pid, b"")

    assert outcome == Refused("killed: longer than 0.5 s", killed=True)
    assert took_s < 3
    assert other != pid


async def test_a_loop_is_killed_at_the_processor_limit_however_many_jobs_went_before():
    async with small(cpu_s=1, wall_s=30) as box:
        for _ in range(3):
            await box.run(box_jobs.pid, b"")
        outcome = await box.run(box_jobs.loop, b"")

    assert outcome == Refused("killed: more than 1 s of processor time", killed=True)


async def test_sleeping_is_bounded_too():
    async with small(wall_s=0.2) as box:
        outcome = await box.run(box_jobs.sleep, b"")

    assert outcome == Refused("killed: longer than 0.2 s", killed=True)


async def test_memory_is_bounded(box: Box):
    honest = await box.run(box_jobs.grab, b"", size=20 * MIB)
    greedy = await box.run(box_jobs.grab, b"", size=200 * MIB)
    slow = await box.run(box_jobs.grab_slowly, b"")

    assert honest == 20 * MIB
    assert greedy == slow == Refused(f"killed: more than {64 * MIB} bytes of memory", killed=True)


async def test_a_worker_that_keeps_memory_is_replaced_before_it_hurts_the_next_job(box: Box):
    pids = [await box.run(box_jobs.keep, b"", size=20 * MIB) for _ in range(6)]

    assert all(isinstance(pid, int) for pid in pids)
    assert 1 < len(set(pids)) < 6


async def test_an_answer_is_bounded(box: Box):
    honest = await box.run(box_jobs.long_answer, b"", size=4 * MIB - 10)
    long = await box.run(box_jobs.long_answer, b"", size=4 * MIB)

    assert len(honest) == 4 * MIB - 10
    assert long == Refused(f"killed: an answer of more than {4 * MIB} bytes", killed=True)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (box_jobs.leave, "left with status 7"),
        (box_jobs.leave_politely, "left with status 0"),
        (box_jobs.segfault, f"died by signal {signal.SIGSEGV.value}"),
        (box_jobs.close_channel, f"died by signal {signal.SIGKILL.value}"),
    ],
)
async def test_a_worker_that_ends_itself_is_a_value(box: Box, job: Job, reason: str):
    outcome = await box.run(job, b"")

    assert outcome == Refused(f"killed: {reason}", killed=True)
    assert isinstance(await box.run(box_jobs.pid, b""), int)


async def test_what_a_library_printed_before_it_died_is_told(
    box: Box, caplog: pytest.LogCaptureFixture
):
    outcome = await box.run(box_jobs.print_and_die, b"")

    assert outcome == Refused(f"killed: died by signal {signal.SIGSEGV.value}", killed=True)
    assert "memory allocation failed" in caplog.text
    assert "\x1b" not in caplog.text
    assert len(caplog.text) < 40_000


async def test_printing_neither_blocks_a_job_nor_gets_into_its_answer(box: Box):
    assert await box.run(box_jobs.print_much, b"") == "done"
    assert await box.run(box_jobs.print_much, b"") == "done"


@pytest.mark.parametrize(
    "frame",
    [
        HEAD.pack(b"a", 5) + b"[{}]\n",
        HEAD.pack(b"a", 2) + b"[]",
        HEAD.pack(b"a", 9) + b'["x","y"]',
        HEAD.pack(b"a", 3) + b"[7]",
        HEAD.pack(b"a", 4) + b"\xff\xfe\xfd\xfc",
        HEAD.pack(b"a", 0),
        HEAD.pack(b"a", 200_000) + b"[" * 200_000,
        HEAD.pack(b"a", 4) + b"null",
    ],
)
async def test_a_forged_answer_of_another_type_is_not_believed(box: Box, frame: bytes):
    outcome = await box.run(box_jobs.forge, frame)

    assert outcome == Refused("killed: an answer of another type than promised", killed=True)


async def test_a_forged_length_is_neither_waited_for_nor_allocated(box: Box):
    outcome = await box.run(box_jobs.forge, HEAD.pack(b"a", 0xFFFFFFFF))

    assert outcome == Refused(f"killed: an answer of more than {4 * MIB} bytes", killed=True)


async def test_a_forged_answer_without_end_is_given_up(box: Box):
    part = b'["' + b"x" * (MIB - 4) + b'"]'
    outcome = await box.run(box_jobs.forge, (HEAD.pack(b"p", MIB) + part) * 5)

    assert outcome == Refused(f"killed: an answer of more than {4 * MIB} bytes", killed=True)


async def test_half_an_answer_ends_at_the_time_limit():
    async with small(wall_s=0.3) as box:
        outcome = await box.run(box_jobs.forge, HEAD.pack(b"a", 9) + b"[")

    assert outcome == Refused("killed: longer than 0.3 s", killed=True)


@pytest.mark.parametrize("kind", [b"r", b"b", b"c", b"?", b"\x00"])
async def test_a_forged_kind_is_no_more_than_a_crash(box: Box, kind: bytes):
    outcome = await box.run(box_jobs.forge, HEAD.pack(kind, 3) + b"\xff\nx")

    assert outcome == Refused("forge: crashed: �", killed=False)


async def test_other_jobs_go_on_while_one_is_killed():
    limits = Limits(wall_s=0.4)
    async with Box(limits=limits, packages=["box_jobs"]) as box, asyncio.TaskGroup() as group:
        bad = group.create_task(box.run(box_jobs.loop, b""))
        good = [group.create_task(box.run(box_jobs.pid, b"")) for _ in range(20)]

    assert bad.result().killed
    assert all(isinstance(task.result(), int) for task in good)


async def test_cancelling_a_job_ends_its_worker_and_frees_its_place(box: Box):
    pid = await box.run(box_jobs.pid, b"")
    task = asyncio.create_task(box.run(box_jobs.sleep, b""))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not exists(pid)
    assert await box.run(box_jobs.pid, b"") != pid


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.05])
async def test_cancelling_a_start_leaves_nothing(box: Box, after_s: float):
    files = open_files()
    task = asyncio.create_task(box.run(box_jobs.sleep, b""))
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert open_files() == files
    assert isinstance(await box.run(box_jobs.pid, b""), int)


async def test_a_worker_that_died_between_jobs_costs_no_job(box: Box):
    pid = await box.run(box_jobs.pid, b"")
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)

    assert await box.run(box_jobs.pid, b"") != pid
    assert await ended(pid)


async def test_closing_leaves_no_process_and_no_open_file():
    files = open_files()
    async with Box(workers=2, limits=Limits(wall_s=0.2), packages=["box_jobs"]) as box:
        pids = {await box.run(box_jobs.pid, b"")}
        await box.run(box_jobs.sleep, b"")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(box.run(box_jobs.pid_after, b"", seconds=0.1)) for _ in "ab"]
        pids |= {task.result() for task in tasks}

    assert not any(exists(pid) for pid in pids)
    assert open_files() == files


async def test_a_worker_dies_with_its_parent():
    program = (
        "import asyncio, box_jobs\n"
        "from mirror.box import Box\n"
        "async def main():\n"
        "    box = Box(workers=1, packages=['box_jobs'])\n"
        "    print(await box.run(box_jobs.pid, b''), flush=True)\n"
        "    await box.run(box_jobs.sleep, b'')\n"
        "asyncio.run(main())\n"
    )
    with python(program) as parent:
        pid = int(parent.stdout.readline())
        await asyncio.sleep(0.1)
        parent.kill()

    assert await ended(pid)


async def test_an_interrupt_from_the_terminal_is_for_the_parent_alone(box: Box):
    pid = await box.run(box_jobs.pid, b"")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)

    assert await box.run(box_jobs.pid, b"") == pid


async def test_there_is_no_way_out_of_the_box(box: Box):
    outcome = await box.run(box_jobs.ways_out, b"")

    assert outcome == dict.fromkeys(box_jobs.ATTEMPTS, "PermissionError")


def test_there_is_no_way_out_for_an_ordinary_user_either():
    program = (
        "import os, encodings.idna, box_jobs\n"
        "from mirror.seal import seal\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "assert seal(1 << 26)\n"
        "found = box_jobs.ways_out(b'')\n"
        "assert found == dict.fromkeys(box_jobs.ATTEMPTS, 'PermissionError'), found\n"
        "print('held')\n"
    )
    with python(program) as process:
        out, err = process.communicate()

    assert (out, err) == ("held\n", "")


def test_the_limits_alone_stop_files_and_sockets_where_no_filter_is_known():
    program = (
        "import box_jobs\n"
        "from mirror import seal\n"
        "seal.PROCESSORS.clear()\n"
        "assert not seal.seal(1 << 26)\n"
        "tried = ('socket', 'socketpair', 'file', 'new file', 'pipe', 'folder')\n"
        "print({box_jobs._error_of(box_jobs.ATTEMPTS[name]) for name in tried})\n"
    )
    with python(program) as process:
        out, err = process.communicate()

    assert (out, err) == ("{'OSError'}\n", "")


async def test_nothing_of_the_parents_environment_is_inside(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TAMIZDAT_SECRET", "do-not-tell")
    (tmp_path / "secret").write_text("do-not-tell")
    with (tmp_path / "secret").open() as secret:
        os.set_inheritable(secret.fileno(), True)
        inside = await box.run(box_jobs.environment, b"")
        files = await box.run(box_jobs.open_files, b"")

    assert "TAMIZDAT" not in inside
    assert "do-not-tell" not in inside
    assert files == [0, 1, 2]


async def test_every_charset_is_there_though_no_file_can_be_opened(box: Box):
    charsets = ("cp1251", "koi8_r", "big5", "idna", "utf-8-sig", "mac_cyrillic", "hz", "utf_7")
    outcome = await box.run(box_jobs.decode, b"abc", charsets=charsets)

    assert outcome == ["abc"] * len(charsets)


@given(
    st.builds(
        Entry,
        title=st.text(),
        raw=st.binary(),
        links=st.lists(st.text(), max_size=3).map(tuple),
        age=st.none() | st.integers(-(2**70), 2**70),
    ),
    st.integers(),
    st.booleans(),
)
def test_options_come_out_as_they_went_in(entry: Entry, count: int, flag: bool):
    options = {"entry": entry, "count": count, "flag": flag}

    assert WIRE.unpack(WIRE.pack(b"", options)) == options


@given(st.binary() | st.text('[]{}",:0123456789eantul').map(str.encode))
def test_an_answer_is_of_the_promised_type_or_refused(text: bytes):
    try:
        (answer,) = WIRE.answer_checker.validate_json(text)
    except ValidationError:
        return

    assert all(isinstance(entry, Entry) for entry in answer)


@given(st.lists(st.text() | st.integers(1, 2 * PART_BYTES).map("x".__mul__), max_size=200))
def test_no_part_of_an_answer_is_long_unless_an_element_is(texts: list[str]):
    book = Book("A book", tuple(map(Checked, texts)), tuple(texts[::2]))
    parts = list(BOOKS.parts(book))
    checked = [BOOKS.checked(part) for part in parts]

    assert BOOKS.joined(checked) == book
    assert all(
        len(text) <= PART_BYTES or max(len(part.chapters), len(part.index)) == 1
        for text, part in zip(parts, checked, strict=True)
    )


def test_a_wrong_answer_is_given_up_at_its_first_error():
    with pytest.raises(ValidationError) as caught:
        WIRE.answer_checker.validate_json(b"[[" + b"{}," * 10_000 + b"{}]]")

    assert caught.value.error_count() < 10
