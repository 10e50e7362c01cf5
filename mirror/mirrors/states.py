"""What is thought of a mirror, decided from what was seen of it: pure, without clock or network.

::

    new, healthy ──fails──▶ suspect ──fails again in a country, works outside──▶ blocked
                            suspect ──fails again everywhere──▶ down
    suspect, blocked, down ──works three times──▶ healthy
    any ──forges before a control twice, or before two places──▶ lying ──a day later──▶ judged anew

"Down" is not "blocked": a control, where nothing is blocked, must have seen the mirror work since
it failed, and two places of a country that are not one must agree. One place alone decides
nothing; a suspect is looked at again soon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from mirror.mirrors import Mirror, Outcome, Probe, State
from mirror.mirrors.vantage import Vantage

FAILS = 2  # looks in a row from one place: one may be a lost packet
CLEARS = 3  # that work, in a row: what fails at every third look is not healthy
SOONER = 5  # times, for what is undecided: two looks in a row are then one look and a minute
OLD = 3  # times `every_s`: a look before that, as before a pause of the daemon, says nothing of now
LIAR_S = 24 * 3600
"""How long a mirror that forged is not believed: as long as an operator may take to ask whose it
is. What it shows meanwhile is of no matter."""
MAX_REASON = 300

WORDS: Mapping[Outcome, str] = {
    "ok": "works",
    "dns": "its name is not found, or leads elsewhere",
    "tcp_ip": "no connection",
    "tls-sni-reset": "cut off during the TLS handshake",
    "http-failure": "cut off after the request",
    "http-diff": "another page instead of ours",
    "throttled": "too slow",
    "cut-at-n-bytes": "cut off after some kilobytes",
    "content-tampered": "forged",
    "stale": "too old",
}
"""What each outcome is called before people."""

_NO_FILTER: frozenset[Outcome] = frozenset({"ok", "stale"})  # whose cause is the mirror's own


@dataclass(frozen=True, slots=True)
class Sight:
    """What one place sees of a mirror: its last look, and how many in a row went like it."""

    vantage: Vantage
    last: Probe
    run: int
    forgeries: int = 0
    """How many looks saw one since it worked for long enough to be believed."""

    @property
    def works(self) -> bool:
        """Whether the last look was of a mirror that works."""
        return self.last.outcome == "ok"

    @property
    def fails(self) -> bool:
        """Whether it has not worked for long enough to be believed."""
        return not self.works and self.run >= FAILS

    @property
    def is_clear(self) -> bool:
        """Whether it has worked for long enough to be believed again."""
        return self.works and self.run >= CLEARS


def sights(
    probes: Iterable[Probe], vantages: Iterable[Vantage], *, now: int, every_s: int
) -> list[Sight]:
    """Return what each of `vantages` saw lately; `probes` of one mirror, the latest first."""
    looks: dict[str, list[Probe]] = {}
    for each in probes:
        looks.setdefault(each.vantage, []).append(each)
    found = []
    for vantage in vantages:
        seen = looks.get(vantage.name, [])
        if seen and seen[0].at > now - OLD * every_s:
            run = _run(seen, OLD * every_s)
            found.append(Sight(vantage, seen[0], run, _forgeries(seen)))
    return found


def _run(seen: Sequence[Probe], old_s: int) -> int:
    """Return how many looks in a row, none long after the one before, ended as the last did."""
    run = 1
    for later, earlier in pairwise(seen):
        same = (earlier.outcome == "ok") == (later.outcome == "ok")
        if not same or later.at - earlier.at > old_s:
            break
        run += 1
    return run


def _forgeries(seen: Sequence[Probe]) -> int:
    """Return how many of the looks were of a forgery, back to when it worked for a while."""
    found = works = 0
    for each in seen:
        works = works + 1 if each.outcome == "ok" else 0
        if works == CLEARS:
            break
        found += each.outcome == "content-tampered"
    return found


def judge(
    mirror: Mirror,
    probes: Iterable[Probe],
    *,
    vantages: Sequence[Vantage],
    now: int,
    every_s: int,
) -> Mirror:
    """Return what is now thought of `mirror`, and when it is to be looked at again.

    `probes` are those of this mirror, the latest first; `vantages` those whose word counts.
    """
    seen = sights(probes, vantages, now=now, every_s=every_s)
    if not seen:
        return replace(mirror, due=now + every_s)
    countries = _blocked_in(mirror, seen)
    state = _state(mirror, seen, countries, now)
    reason = _reason(state, seen, countries)[:MAX_REASON]
    if state == "lying" and not _is_forged(seen):
        reason = mirror.reason
    return replace(
        mirror,
        state=state,
        since=mirror.since if state == mirror.state else now,
        reason=reason,
        due=now + (every_s // SOONER if _is_open(state, seen) else every_s),
        blocked_in=countries,
    )


def _state(mirror: Mirror, seen: Sequence[Sight], countries: tuple[str, ...], now: int) -> State:
    forged_lately = mirror.state == "lying" and now - mirror.since < LIAR_S
    if forged_lately or _is_forged(seen):
        return "lying"
    if not any(each.works for each in seen):
        return _unseen(mirror, seen)
    return "blocked" if countries else _seen(mirror, seen)


def _seen(mirror: Mirror, seen: Sequence[Sight]) -> State:
    """Return the state of a mirror that works somewhere, and is not blocked."""
    if all(each.works for each in seen) and mirror.state in ("new", "healthy"):
        return "healthy"
    if all(each.is_clear for each in seen):
        return "healthy"
    if mirror.state in ("blocked", "down") and not any(each.is_clear for each in seen):
        return mirror.state
    return "suspect"


def _unseen(mirror: Mirror, seen: Sequence[Sight]) -> State:
    """Return the state of a mirror that works nowhere: the controls decide, where there are any."""
    deciding = [each for each in seen if each.vantage.control] or seen
    if all(each.fails for each in deciding):
        return "down"
    return mirror.state if mirror.state in ("blocked", "down") else "suspect"


def _blocked_in(mirror: Mirror, seen: Sequence[Sight]) -> tuple[str, ...]:
    """Return the countries in which the mirror is blocked, though it works outside."""
    controls = [each.last.at for each in seen if each.vantage.control and each.works]
    found = set(mirror.blocked_in)
    for country in {each.vantage.country for each in seen} - {""}:
        inside = [each for each in seen if _is_in(each, country)]
        failing = [each for each in inside if each.fails and each.last.outcome not in _NO_FILTER]
        failed = max((each.last.at for each in failing), default=0)
        # A control that looked earlier saw a mirror that may have died since.
        if any(at >= failed for at in controls) and _agree(failing):
            found.add(country)
        elif inside and all(each.is_clear for each in inside):
            found.discard(country)
    return tuple(sorted(found))


def _is_in(sight: Sight, country: str) -> bool:
    return sight.vantage.country == country and not sight.vantage.control


def _agree(some: Sequence[Sight]) -> bool:
    """Return whether two of these looked over different machines."""
    return len({each.vantage.way for each in some}) > 1


def _is_forged(seen: Sequence[Sight]) -> bool:
    """Return whether the mirror itself forges, and not somebody between it and one place.

    A control believes its own eyes at the second look: a file that was cut or damaged once is no
    lie, and who forges every other time is no better. Elsewhere two must agree; two of one country,
    of which the control sees nothing, have a censor before them who forges, and that is a block.
    """
    forged = [each for each in seen if each.last.outcome == "content-tampered"]
    if any(each.vantage.control and each.forgeries >= FAILS for each in forged):
        return True
    honest = any(each.vantage.control and each.works for each in seen)
    return any(
        one.vantage.way != other.vantage.way
        and not (honest and one.vantage.country and one.vantage.country == other.vantage.country)
        for one, other in combinations(forged, 2)
    )


def _is_open(state: State, seen: Sequence[Sight]) -> bool:
    """Return whether the next look may decide something."""
    if state in ("suspect", "new"):
        return True
    return state in ("blocked", "down") and any(each.works and not each.is_clear for each in seen)


def _reason(state: State, seen: Sequence[Sight], countries: tuple[str, ...]) -> str:
    working = ", ".join(each.vantage.shown for each in seen if each.works)
    if state == "healthy":
        return f"works from {working}"
    failing = "; ".join(_told(each) for each in seen if not each.works)
    outside = f"; works from {working}" if working else ""
    said = f"{failing}{outside}".removeprefix("; ")
    return f"blocked in {', '.join(countries)}: {said}" if state == "blocked" else said


def _told(sight: Sight) -> str:
    detail = sight.last.detail or WORDS[sight.last.outcome]
    return f"{sight.last.outcome} from {sight.vantage.shown}: {detail}"


def deaf(seen: Mapping[str, Sequence[Sight]], mirrors: Iterable[Mirror]) -> dict[str, str]:
    """Return the vantages whose word does not count, by name, with the reason for people.

    `seen` is by mirror. One that sees no mirror work, of two at least that work from elsewhere,
    is more likely without a line than before a filter: if a mirror that was never announced is
    among them, for no censor knows of it; or if another place of its country sees one work.
    """
    secret = {each.url for each in mirrors if each.announced is None and not each.blocked_in}
    places = {each.vantage for some in seen.values() for each in some}
    found = {}
    for place in sorted(places, key=lambda each: each.name):
        looked = {url: some for url, some in seen.items() if any(e.vantage == place for e in some)}
        others = {
            url: [each.vantage for each in some if each.works and each.vantage != place]
            for url, some in looked.items()
        }
        good = [url for url, working in others.items() if working]
        works = any(e.works for some in looked.values() for e in some if e.vantage == place)
        neighbours = any(
            each.country == place.country != "" for working in others.values() for each in working
        )
        if not works and len(good) > 1 and (secret.intersection(good) or neighbours):
            found[place.name] = f"sees none of {len(looked)} mirrors, of which {len(good)} work"
    return found
