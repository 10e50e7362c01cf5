"""A mirror that is killed at any moment, again and again, loses, doubles and forks nothing."""

import os
import random
import time
from pathlib import Path

from fault_evidence import assert_not_forked, assert_readable, assert_whole, signed, visible
from fault_newsroom import Newsroom, Story
from fault_warm import Warm, make

from mirror.hold import MIN_GAP_S

KILLS = int(os.environ.get("KILLS", "40"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
LOOK_EVERY = 10  # kills
EDITABLE = 8  # of the newest stories: each is in the feed long enough to be met


async def test_a_mirror_killed_at_random_moments_loses_doubles_and_forks_nothing(
    memory: Path, warm: Warm, room: Newsroom
):
    print(f"{KILLS} kills, SEED={SEED}")
    draw = random.Random(SEED)
    folder = memory / "mirror"
    make(folder, room, now=int(time.time()) - 60)
    room.before = lambda room: go_on(room, draw)
    for number in range(1, KILLS + 1):
        told = warm.run(folder, loop=True, kill_after_s=draw.uniform(0.01, 0.4))
        assert told["status"] == -9, f"kill {number}, SEED={SEED}: {told}"
        if number % LOOK_EVERY == 0 and (folder / "site" / "index.tlog-proof").exists():
            await assert_readable(folder, now=int(time.time()), whole=False)
    room.before = lambda _: None
    later = int(time.time()) + MIN_GAP_S  # what was edited too often comes out then

    told = warm.run(folder, now=later)

    assert told["status"] == 0, f"SEED={SEED}: {told}"
    await assert_readable(folder, now=later)
    assert_whole(folder / "site", room)
    assert_not_forked(folder / "site", visible(folder) + signed(folder))
    print(f"{len(room.stories)} stories, {len(signed(folder))} checkpoints")


def go_on(room: Newsroom, draw: random.Random) -> None:
    """Publish a story or two, a long one now and then, and edit an older one."""
    last = max(room.stories, default=0)
    if last and draw.random() < 0.5:
        old = room.stories[draw.randint(max(1, last - EDITABLE), last)]
        room.publish(Story(old.number, old.version + 1, old.paragraphs))
    for number in range(last + 1, last + 1 + draw.choice((0, 1, 1, 2))):
        room.publish(Story(number, paragraphs=60 if number % 20 == 0 else 3))
