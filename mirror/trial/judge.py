"""What answers mean for readers: each duty of a mirror kept or broken, and what to do. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mirror.formats.paths import is_head
from mirror.labels import caching_of, is_packed, type_of
from mirror.trial.answer import Answer
from mirror.trial.probe import Probe

CURTAIN = 12_000  # bytes with headers: what passes a filter that cuts connections off at 16 kB
MAX_OLD_S = 300  # a reader is promised to see a new head after that
TOO_OLD_S = 3600  # pages of repositories are kept for ten minutes, and nobody can say otherwise
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,12})")
_SHARED_AGE = re.compile(r"s-maxage\s*=\s*\"?([0-9]{1,12})")
_POLICY = "Content-Security-Policy"
_SANDBOX = re.compile(r"(?:^|[;,])\s*sandbox(?![^\s;,])")
_REPORT = re.compile(r"(?:^|[;,])\s*report-(?:uri|to)\s")
_REPORTS = {
    _POLICY: _REPORT,
    f"{_POLICY}-Report-Only": _REPORT,
    "NEL": re.compile(r'"success_fraction"\s*:\s*[0-9.]*[1-9]'),
}
"""What has browsers report readers of pages to whoever it names, and how it says so."""
_LEADS = ("Refresh", "Link", "Speculation-Rules", "Onion-Location")
_LINKS = ("stylesheet", "preload", "prefetch", "prerender", "preconnect")

Level = Literal["good", "poor", "bad"]
"""`poor`: it works, and some readers are worse off. `bad`: it must not be announced."""

Seen = Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one duty (`what`, a word for programs), and what an operator can do."""

    what: str
    level: Level
    saw: str
    do: str = ""


def kind(path: str) -> str:
    """Return what files like this are called, for a person."""
    name = path.rpartition("/")[2]
    return f".{name.rpartition('.')[2]}" if "." in name else f"{name} (no ending)"


def judge(probe: Probe, seen: Seen) -> list[Finding]:
    """Return what the answers to all files of the probe mean."""
    there = {path: answer for path, answer in seen.items() if answer.status == 200}
    findings = [_redirects(seen), _lost(seen)]
    if there:
        checks: tuple[Callable[[Probe, Seen], Finding], ...] = (
            *(_bytes, _types, _shown, _cors, _caching, _size, _cookies, _reports),
            *(_server, _connection, _version),
        )
        findings += [check(probe, there) for check in checks]
    return findings


def judge_missing(answer: Answer) -> Finding:
    """Return what the answer for a file that was never there means."""
    if answer.status == 404:
        return Finding("missing", "good", "a file that is not there is a 404")
    do = "switch off the page that is shown for all addresses: programs need a 404"
    if answer.status == 403:
        do = "let all list the bucket, which makes it say 404: programs need one"
    return Finding("missing", "bad", f"status {answer.status} for a file that is not there", do)


def judge_case(answer: Answer) -> Finding:
    """Return what the answer for the page under capital letters means."""
    if answer.status != 200:
        return Finding("case", "good", "capital letters are other letters")
    do = "choose a place that knows them: two articles whose paths differ in case would be one"
    return Finding("case", "bad", f"ignores case: status {answer.status} under capitals", do)


def _redirects(seen: Seen) -> Finding:
    found = {path: each for path, each in seen.items() if 300 <= each.status < 400}
    if not found:
        return _led(seen)
    answer = next(iter(found.values()))
    saw = f"{_kinds(found)}: status {answer.status} to {answer.field('Location')[:200]!r}"
    do = "give the address that it leads to, or switch it off: readers must stay where they are"
    return Finding("redirects", "bad", saw, do)


def _led(seen: Seen) -> Finding:
    """Return what is found of fields that lead a browser elsewhere, though the bytes are ours."""
    for name in _LEADS:
        found = [path for path, each in seen.items() if _leads(name, each.field(name), path)]
        if found:
            do = f"switch the field {name} off: browsers obey it, and readers are led elsewhere"
            return Finding("redirects", "bad", _sends(name, found, seen), do)
    return Finding("redirects", "good", "no redirects")


def _leads(name: str, value: str, path: str) -> bool:
    if name == "Link":
        return any(word in value.lower() for word in _LINKS)
    if name == "Onion-Location":  # a front's own leads to the same page at the operator's onion
        return bool(value) and not value.endswith(f"/{path}")
    return bool(value)


def _sends(name: str, paths: Sequence[str], seen: Seen) -> str:
    return f"{_kinds(paths)}: sends {name}: {seen[paths[0]].field(name)[:200]!r}"


def _lost(seen: Seen) -> Finding:
    lost = {path: each for path, each in seen.items() if not 200 <= each.status < 400}
    lost |= {path: each for path, each in seen.items() if 200 < each.status < 300}
    if not lost:
        return Finding("files", "good", f"all {len(seen)} kinds of files are shown")
    said = sorted({each.status for each in lost.values()})
    saw = f"not shown: {_kinds(lost)}: status {', '.join(map(str, said))}"
    do = "let the place serve files with any ending, and with none"
    if len(lost) == len(seen):
        do = "see that the public address leads to where the store writes, and that all may read"
    return Finding("files", "bad", saw, do)


def _bytes(probe: Probe, seen: Seen) -> Finding:
    wrong = {path: each for path, each in seen.items() if each.body() != probe.files[path]}
    if not wrong:
        return Finding("bytes", "good", "every byte is as it was written")
    return next(_altered(probe, wrong))


def _altered(probe: Probe, wrong: Seen) -> Iterator[Finding]:
    for path, answer in wrong.items():
        body, data = answer.body(), probe.files[path]
        if body is None:
            saw = f"{kind(path)}: a body that is not what its Content-Encoding says"
            yield Finding("bytes", "bad", saw, "look at what stands between: it is broken")
        elif body.startswith(b"\x1f\x8b") and not answer.field("Content-Encoding"):
            saw = f"{kind(path)}: sent compressed, and not said so: the Content-Encoding is lost"
            yield Finding(
                "bytes", "bad", saw, 'for an object store set options.encoding to "plain"'
            )
        elif body.lower().count(b"<script") > data.lower().count(b"<script"):
            saw = f"{_kinds(wrong)}: a script was put in"
            do = "switch off what injects it (analytics, protection, advertising), or leave"
            yield Finding("bytes", "bad", saw, do)
    path = next(iter(wrong))
    html = all(each.endswith(".html") for each in wrong)
    what = "HTML is rewritten" if html else "bytes are changed"
    do = "switch off what improves pages (minifying, hiding addresses): signatures break"
    yield Finding("bytes", "bad", f"{_kinds(wrong)}: {what}", do)


def _types(_: Probe, seen: Seen) -> Finding:
    said = {path: each.field("Content-Type") for path, each in seen.items()}
    wrong = {path: value for path, value in said.items() if not _fits(path, value)}
    if not wrong:
        return Finding("types", "good", "each Content-Type is right")
    saw = "; ".join(f"{kind(path)}: {value[:80] or 'none'}" for path, value in wrong.items())
    shown = any(path.endswith((".html", ".webp")) and not _is_bare(wrong[path]) for path in wrong)
    do = "set the types that the place gives to endings: pages must be text/html; charset=utf-8"
    return Finding("types", "bad" if shown else "poor", saw, do)


def _is_bare(value: str) -> bool:
    """Return whether no charset is said, as by IPFS gateways: a page says its own at its begin."""
    return value.strip().lower() == "text/html"


def _fits(path: str, value: str) -> bool:
    """Return whether a type does no harm: a page's must be right, a program's file inert."""
    own, found = type_of(path), re.sub(r"[\s\"]", "", value.lower())
    if path.endswith(".html"):
        return found == own.replace(" ", "")
    base = found.partition(";")[0]
    inert = base in ("text/plain", "application/octet-stream") and not path.endswith(".webp")
    return inert or base == own.partition(";")[0]


def _shown(_: Probe, seen: Seen) -> Finding:
    pages = {path: each for path, each in seen.items() if path.endswith(".html")}
    saved = [path for path, each in pages.items() if _is_saved(each.field("Content-Disposition"))]
    if saved:
        do = "switch it off: browsers save the page as a file, and show none"
        return Finding("shown", "bad", _sends("Content-Disposition", saved, seen), do)
    boxed = [path for path, each in pages.items() if _SANDBOX.search(each.field(_POLICY).lower())]
    if boxed:
        do = "take the word sandbox out of it: browsers keep the page apart from all other pages"
        return Finding("shown", "bad", _sends(_POLICY, boxed, seen), do)
    return Finding("shown", "good", "pages are shown as any others are")


def _is_saved(value: str) -> bool:
    return value.partition(";")[0].strip().lower() not in ("", "inline")


def _cors(_: Probe, seen: Seen) -> Finding:
    wrong = [
        path for path, each in seen.items() if each.field("Access-Control-Allow-Origin") != "*"
    ]
    if not wrong:
        return Finding("cors", "good", "scripts of other mirrors may read: CORS is *")
    do = "send Access-Control-Allow-Origin: * (an object store: a CORS rule for GET from *)"
    return Finding("cors", "bad", f"no Access-Control-Allow-Origin: * with {_kinds(wrong)}", do)


def _caching(_: Probe, seen: Seen) -> Finding:
    said = {path: each.field("Cache-Control").lower() for path, each in seen.items()}
    heads = {path: value for path, value in said.items() if is_head(path)}
    long = {path: value for path, value in heads.items() if _kept_s(value) > MAX_OLD_S}
    if long:
        value = max(long.values(), key=_kept_s)
        do = f"let what changes be kept for {MAX_OLD_S} s at most: readers see it too late"
        level: Level = "bad" if _kept_s(value) > TOO_OLD_S else "poor"
        return Finding("caching", level, f"{_kinds(long)}: kept too long: {value[:100]}", do)
    vague = [path for path, value in heads.items() if not value]
    fixed = [path for path, value in said.items() if path not in heads and "immutable" not in value]
    if not (vague or fixed):
        return Finding("caching", "good", "heads are kept for minutes, all else for good")
    do = f"send {caching_of('index.html')!r} with what changes, {caching_of('tile/0/000')!r} else"
    return Finding("caching", "poor", f"not said for {_kinds([*vague, *fixed])}", do)


def _kept_s(value: str) -> int:
    found = [int(age) for pattern in (_MAX_AGE, _SHARED_AGE) for age in pattern.findall(value)]
    return 0 if "no-store" in value or "no-cache" in value else max(found, default=0)


def _size(probe: Probe, seen: Seen) -> Finding:
    large = {path: each.size for path, each in seen.items() if each.size > CURTAIN}
    most = max(each.size for each in seen.values())
    page = seen.get(probe.page)
    coding = (page.field("Content-Encoding") or "none") if page else "none"
    if not large:
        return Finding("size", "good", f"{most:,} B at most with headers; pages: {coding}")
    plain = any(is_packed(path) and not seen[path].field("Content-Encoding") for path in large)
    do = "let the place compress text (gzip or br)" if plain else "let it send fewer headers"
    saw = f"{_kinds(large)}: {most:,} B with headers, over {CURTAIN:,}: cut off by some filters"
    return Finding("size", "poor", saw, do)


def _cookies(_: Probe, seen: Seen) -> Finding:
    wrong = [
        path for path, each in seen.items() if each.field("Set-Cookie") or each.field("Set-Cookie2")
    ]
    if not wrong:
        return Finding("cookies", "good", "no cookies")
    do = "switch off cookies (protection against robots, balancing): they mark readers"
    return Finding("cookies", "bad", f"adds cookies to {_kinds(wrong)}", do)


def _reports(_: Probe, seen: Seen) -> Finding:
    for name, mark in _REPORTS.items():
        found = [path for path, each in seen.items() if mark.search(each.field(name).lower())]
        if found:
            do = f"switch the reports of {name} off: browsers tell others who reads which page"
            return Finding("reports", "bad", _sends(name, found, seen), do)
    failed = [path for path, each in seen.items() if each.field("NEL")]
    if not failed:
        return Finding("reports", "good", "browsers are to report nothing")
    # Not bad: only what failed is reported. Cloudflare has it so unless told otherwise.
    do = "switch NEL (network error logging) off: browsers tell others for whom a page failed"
    return Finding("reports", "poor", _sends("NEL", failed, seen), do)


def _server(_: Probe, seen: Seen) -> Finding:
    said = sorted({each.field("Server")[:80] for each in seen.values() if each.field("Server")})
    if not said:
        return Finding("server", "good", "does not say which program answers")
    do = "if it is yours, switch off the Server header; no reader is harmed"
    return Finding("server", "poor", f"says: {', '.join(said)}", do)


def _connection(_: Probe, seen: Seen) -> Finding:
    if all(each.closes for each in seen.values()):
        return Finding("connection", "good", "each connection is closed after its answer")
    do = "let it close: with keep-alive the second page of a reader behind a filter never comes"
    return Finding("connection", "poor", "connections are kept open", do)


def _version(_: Probe, seen: Seen) -> Finding:
    said = sorted({each.version for each in seen.values()})
    if said == ["1.1"]:
        return Finding("version", "good", "HTTP/1.1")
    return Finding("version", "poor", f"HTTP/{', '.join(said)}", "let it speak HTTP/1.1")


def _kinds(paths: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(kind(path) for path in paths))
