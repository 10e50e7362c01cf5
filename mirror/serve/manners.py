"""The limits of the server, each with the reason for its default."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manners:
    """How the server behaves to strangers; every time is in seconds, every size in bytes."""

    close: bool = True
    """Close after each answer of the site: the 16-kB curtain counts bytes by connection, so a
    second answer on a kept one freezes. Answers for programs (`/ipfs/`, `/-/health`) are kept
    alive all the same: they are not read behind a curtain, and a clone asks for thousands."""

    max_connections: int = 512
    """One more pushes out one that is silent, or of an address that has more than its share, or
    stalled; where there is none, it is closed. Each may have a file open: `serve` asks the
    system for as many, where a process may have 1,024 by default."""

    backlog: int = 256
    """Connections that the system holds until they are taken: half a burst of `max_connections`."""

    header_s: float = 10
    """For a whole request, from its first byte. Trickled headers (slow loris) end here; the
    slowest reader aimed at, 50 kbit/s and 800 ms, needs two seconds."""

    idle_s: float = 15
    """Between two requests on a kept connection."""

    answer_s: float = 60
    """For making an answer, and then for taking each `piece_bytes` of it: about 1 kB/s, a
    sixth of the slowest reader aimed at. A page fits in one piece."""

    stall_s: float = 15
    """Without room for one more, who has taken nothing of an answer for so long leaves. The
    slowest reader aimed at takes `piece_bytes` in eleven."""

    linger_s: float = 2
    """Between a refusal of what was not read to its end and the cut: time to read why."""

    farewell_s: float = 1
    """For answers under way when the server stops."""

    max_header_bytes: int = 16_384
    """Of a request line and headers, and of all that is sent before the answer to an earlier
    request was taken, counted as they arrive. A browser sends under 2 kB;
    `max_connections` that send all they may and take nothing cost 140 MB."""

    max_line_bytes: int = 4_096
    """Of a request line or one header. The longest path of a site has some 110 characters."""

    max_headers: int = 64
    """Browsers send some 15, proxies in front a dozen more."""

    piece_bytes: int = 65_536
    """What is handed to a connection at once; a slow reader makes the server hold two of it."""

    cache_bytes: int = 33_554_432
    """Of files in memory: some 5,000 articles in the forms in which they are asked for."""

    max_cached_file_bytes: int = 524_288
    """Of one form in memory; the file for readers (`reader.html`) has 350 kB. A larger one is
    read for each answer, piece by piece."""

    max_hashed_bytes: int = 8_388_608
    """Of a file that gets an ETag and whose compressed forms are compared with it. Of a larger
    one, say a week's archive, the hash would cost more than sending it again."""

    max_readings: int = 4
    """Files read from the disk at once. The threads are those of the whole process: strangers
    who ask for what is not in memory may not take them all."""

    max_cars: int = 4
    """Archives sent at once; one more takes the place of one as a connection does, or is told to
    come back."""

    max_car_blocks: int = 100_000
    """Of one archive. What was sent is remembered, some 100 bytes a block, to send it once:
    10 MB. A longer one is broken off; whoever wants more asks for the folders one by one."""
