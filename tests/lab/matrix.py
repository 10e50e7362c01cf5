"""What gets an article past which technique: every transport under each, by `mirror fetch`.

What was measured last is kept in `matrix.json`::

    {"SNI reset": {"one": {"outcome": "tls-sni-reset", "verdict": "unreachable", ...},
                   "list": {"outcome": "ok", "verdict": "valid", "seconds": 0.4, "tries": 1}}}
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from lab import censor
from lab.onion import PROXY
from lab.published import ONE, TWO, publish
from lab.transports import CELL_S, Scene, scene, with_onion
from mirror.obtain.race import LIES

KEPT = Path(__file__).with_name("matrix.json")
LABS = 3  # at once: most of the time is spent waiting for what never comes
FIRST = "one.test"
SILENT = "no answer"
ONION_S, BLIND_S = 12.0, 6.0
"""Without an article for so long over Tor, there is none; each later one would wait as well. Where
no connection of Tor's can be left, half of it tells: without a censor it takes one second."""

Held = AbstractContextManager[None]
Matrix = Mapping[str, Mapping[str, "Cell"]]
Rows = dict[str, dict[str, "Cell"]]


@dataclass(frozen=True, slots=True)
class Cell:
    """`outcome` is `ok` if the article lay on the disk, verified; else a word of OONI's or ours.

    `verdict` is what `mirror fetch` said of it, `seconds` how long all `tries` took.
    """

    outcome: str
    verdict: str
    seconds: float
    tries: int = 1

    @property
    def ok(self) -> bool:
        """Whether a reader has the article."""
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True)
class Technique:
    """What the censor does; where it is `alone`, readers at once would share what is counted.

    Where it is by chance, an article that does not come is asked for again, up to `tries` times.
    """

    name: str
    aim: str
    hold: Callable[[Scene], Held]
    alone: bool = False
    tries: int = 1
    blinds_tor: bool = False
    """What Tor has built is of no use afterwards."""


@dataclass(frozen=True, slots=True)
class Transport:
    """A way to the article: `get` tries it once, with a folder to save to."""

    key: str
    title: str
    get: Callable[[Scene, Path], Cell]


TECHNIQUES = (
    Technique("no censor", "nobody", lambda s: nullcontext()),
    Technique("SNI reset", "the first mirror's name", lambda s: censor.sni_reset(s.lab, FIRST)),
    Technique(
        "SNI black hole", "the first mirror's name", lambda s: censor.sni_black_hole(s.lab, FIRST)
    ),
    Technique(
        "address drop", "the first mirror's address", lambda s: censor.address_drop(s.lab, s.first)
    ),
    Technique(
        "address reset",
        "the first mirror's address",
        lambda s: censor.address_reset(s.lab, s.first),
    ),
    Technique(
        "DNS poisoning",
        "the first mirror's name",
        lambda s: censor.dns_poison(s.lab, FIRST, s.page),
    ),
    Technique("NXDOMAIN", "the first mirror's name", lambda s: censor.dns_nxdomain(s.lab, FIRST)),
    Technique(
        "16 kB curtain", "every connection", lambda s: censor.curtain(s.lab), blinds_tor=True
    ),
    Technique(
        "throttle, 128 kbit/s", "the whole line", lambda s: censor.throttle(s.lab), alone=True
    ),
    Technique("loss, 10 %", "every packet", lambda s: censor.loss(s.lab), tries=6),
    Technique(
        "handshake policing",
        "every name, from the 4th connection",
        lambda s: censor.handshake_policing(s.lab),
        alone=True,
    ),
    Technique(
        "allow-list",
        "all but the second mirror's address",
        lambda s: censor.allow_list(s.lab, s.second),
        blinds_tor=True,
    ),
    Technique(
        "block page",
        "the first mirror's address",
        lambda s: censor.block_page(s.lab, s.first, by=s.page),
    ),
    Technique(
        "man in the middle",
        "the first mirror's address, with a certificate for its name",
        lambda s: censor.block_page(s.lab, s.first, by=s.forger),
    ),
    Technique(
        "only DNS",
        "all but questions to a resolver",
        lambda s: censor.only_dns(s.lab),
        blinds_tor=True,
    ),
    Technique(
        "shutdown", "everything", lambda s: censor.rules(s.lab, "forward", "drop;"), blinds_tor=True
    ),
)


def _at(url: Callable[[Scene], str], scene: Scene, out: Path) -> Cell:
    """Ask one mirror and no other."""
    return _judged(scene, out, scene.fetch(out, "--via", url(scene), "--only-via"), url(scene))


def _of_list(scene: Scene, out: Path) -> Cell:
    """Ask the mirrors of the last signed list, as who has read before does."""
    memory = out.with_suffix(".memory")
    for end in ("", ".mirrors"):
        shutil.copy(f"{scene.memory}{end}", f"{memory}{end}")
    return _judged(scene, out, scene.fetch(out, "--remember", str(memory)), ONE)


def _over_tor(scene: Scene, out: Path) -> Cell:
    """Ask the onion service; afterwards the reader's Tor has new connections."""
    made = scene.fetch(out, *scene.over_tor, limit_s=scene.tor_s)
    return _judged(scene, out, made, scene.onion, proxy=PROXY)


def _carried(scene: Scene, out: Path) -> Cell:
    """Ask the folder that somebody brought, and no mirror."""
    brought = out.with_suffix(".brought")
    shutil.copytree(scene.site.folder, brought)
    return _judged(scene, out, scene.fetch(out, "--via", str(brought), "--only-via"))


def _judged(
    scene: Scene, out: Path, made: Mapping[str, object], url: str = "", *, proxy: str = ""
) -> Cell:
    """Believe what is on the disk, and not what was said of it.

    Why it is not there is what a look at `url` says, as an operator would see it.
    """
    verdict = str(json.loads(str(made.get("said") or "{}")).get("verdict", SILENT))
    seconds = float(str(made.get("seconds", scene.tor_s if proxy else CELL_S)))
    page = out / scene.site.page
    if made.get("code") == 0:
        assert page.read_bytes() == (scene.site.folder / scene.site.page).read_bytes()
        assert scene.verify(page)["code"] == 0
        return Cell("ok", verdict, seconds)
    lied = verdict in LIES or not url
    seen = "content-tampered" if lied else scene.look(url, proxy=proxy)
    return Cell(verdict if seen == "ok" else seen, verdict, seconds)


TRANSPORTS = (
    Transport("one", "https mirror", partial(_at, lambda _: ONE)),
    Transport("two", "second https mirror", partial(_at, lambda _: TWO)),
    Transport("list", "both, of the signed list", _of_list),
    Transport("gateway", "IPFS gateway", partial(_at, lambda scene: scene.gateway)),
    Transport("onion", "onion service", _over_tor),
    Transport("folder", "carried folder", _carried),
)


def measure() -> Matrix:
    """Return what a reader gets in each way under each technique; some 100 s."""
    left = _queue(key=lambda each: -each.tries)  # the longest first
    over_tor = _queue(key=lambda each: each.blinds_tor)
    onion = [each for each in TRANSPORTS if each.get is _over_tor]
    others = [each for each in TRANSPORTS if each not in onion]
    with tempfile.TemporaryDirectory(prefix="matrix-") as name:
        folder = Path(name)
        site = publish(folder)

        def work(number: int) -> Rows:
            with scene(site) as made:
                if number < LABS:
                    return dict(_rows(made, left, others, folder / str(number)))
                with with_onion(made) as tors:
                    return dict(_rows(tors, over_tor, onion, folder / str(number)))

        with ThreadPoolExecutor(LABS + 1) as pool:
            *parts, last = pool.map(work, range(LABS + 1))
    found = {name: row | last[name] for part in parts for name, row in part.items()}
    return {
        technique.name: {each.key: found[technique.name][each.key] for each in TRANSPORTS}
        for technique in TECHNIQUES
    }


def _queue(key: Callable[[Technique], int]) -> "SimpleQueue[Technique]":
    made: SimpleQueue[Technique] = SimpleQueue()
    for each in sorted(TECHNIQUES, key=key):
        made.put(each)
    return made


def _rows(
    scene: Scene,
    left: "SimpleQueue[Technique]",
    transports: Sequence[Transport],
    folder: Path,
) -> Iterator[tuple[str, dict[str, Cell]]]:
    while True:
        try:
            technique = left.get_nowait()
        except Empty:
            return
        out = folder / technique.name.replace("/", " ")
        out.mkdir(parents=True)
        held = replace(scene, tor_s=BLIND_S if technique.blinds_tor else ONION_S)
        with technique.hold(scene), ThreadPoolExecutor(1 if technique.alone else 8) as pool:
            tasks = {t.key: pool.submit(_tried, technique, t, held, out) for t in transports}
            row = {key: task.result() for key, task in tasks.items()}
        if technique.blinds_tor and scene.relays and not left.empty():
            scene.relays.connect()
        yield technique.name, row


def _tried(technique: Technique, transport: Transport, scene: Scene, out: Path) -> Cell:
    tries, seconds = 0, 0.0
    while True:
        cell = transport.get(scene, out / f"{transport.key}{tries}")
        tries, seconds = tries + 1, seconds + cell.seconds
        if cell.ok or tries == technique.tries:
            return replace(cell, seconds=round(seconds, 1), tries=tries)


def kept() -> Matrix:
    """Return the matrix that was kept."""
    rows = json.loads(KEPT.read_text())
    return {name: {key: Cell(**cell) for key, cell in row.items()} for name, row in rows.items()}


def text(matrix: Matrix) -> str:
    """Return a matrix as it is kept: a line a cell."""
    rows = {name: {key: asdict(cell) for key, cell in row.items()} for name, row in matrix.items()}
    lines = json.dumps(rows, indent=2)
    return re.sub(r"\{\s+(\"outcome[^}]+?)\s+\}", _in_line, lines) + "\n"


def _in_line(match: re.Match[str]) -> str:
    return "{" + re.sub(r"\s+", " ", match[1]) + "}"
