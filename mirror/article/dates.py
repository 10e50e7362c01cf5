"""Dates as newsrooms write them, and the moment in UTC that each means.

Read are RFC 822 and its relatives, ISO 8601, `22.11.2026 10:30`, and Unix seconds.
"""

import io
import re
import struct
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from mirror.errors import FormatError

MAX_DATE_CHARS = 80
"""The longest real one, with a zone's name in brackets, has 51."""

_TIME = (
    r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
    r"(?: ?(?P<half>[ap])\.?m\b\.?)?"
)
_ZONE = r"(?: ?(?P<zone>[a-z]{1,5}(?![a-z])|(?:gmt|utc?|z)?[+-]\d\d?:?(?:\d\d)?))?(?: ?\([^()]*\))?"
_WEEKDAY = r"(?:[^\W\d_]{2,12}\.?,? ?)?"
_MONTH = r"(?P<month>[^\W\d_]{3,10})\.?"
_FORMS = tuple(
    re.compile(form + r"\Z")
    for form in (
        rf"{_WEEKDAY}(?P<day>\d\d?)[ -]{_MONTH}[ -](?P<year>\d{{4}}|\d\d)(?:,? {_TIME}{_ZONE})?",
        rf"(?P<year>\d{{4}})-(?P<month>\d\d?)-(?P<day>\d\d?)(?:(?:t|,? ){_TIME}{_ZONE})?",
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)"
        rf"(?:t(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?{_ZONE})?",
        rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}})(?:,? {_TIME}{_ZONE})?",
        rf"{_WEEKDAY}{_MONTH} (?P<day>\d\d?),? (?P<year>\d{{4}})(?:,? {_TIME}{_ZONE})?",
        rf"{_WEEKDAY}{_MONTH} (?P<day>\d\d?) {_TIME}{_ZONE} (?P<year>\d{{4}})",
    )
)
"""Of a date in small letters with single spaces. `1/2/2026` is none: it means two days."""
_SECONDS = re.compile(r"(\d{9,11})(?:\.\d+)?\Z|(\d{12,14})\Z")
"""Since 1970, or thousandths of them; eight digits are a day."""
_MONTHS = {
    name: number
    for names in (
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "янв фев мар апр мая июн июл авг сен окт ноя дек",
    )
    for number, name in enumerate(names.split(), start=1)
}
"""By their first three letters; in Russian as in a date."""
_HOURS = {
    name: hours
    for hours, names in {
        -8: "pst pt",
        -7: "mst mt pdt",
        -6: "cst ct mdt",
        -5: "est et cdt",
        -4: "ast edt",
        -3: "adt",
        0: "z ut utc gmt wet",
        1: "bst west cet met",
        2: "cest mest eet",
        3: "eest msk trt",
        4: "msd",
        8: "hkt",
        9: "jst kst",
    }.items()
    for name in names.split()
}
"""Names of zones that mean one offset; `cst` and `bst` as in RFC 822 and in London, not as in
China and Bangladesh. Others, such as `ist`, are as good as none."""


def zone_of(tzif: bytes) -> tzinfo:
    """Return the time zone in a TZif file (RFC 9636), UTC for none.

    Raises:
        FormatError: not such a file.
    """
    if not tzif:
        return UTC
    try:
        return ZoneInfo.from_file(io.BytesIO(tzif))
    except (ValueError, LookupError, struct.error, EOFError) as e:
        raise FormatError(f"zone: not a TZif file: {e!s:.100}") from e


def utc(text: str, zone: tzinfo = UTC) -> str:
    """Return the moment that a date means as `YYYY-MM-DDTHH:MM:SSZ`, or "" if it is no date.

    A date without a time is the beginning of its day. One that names no zone, or one by a
    name that is not known, is in `zone`: an hour that its clocks show twice is the first of
    the two, and one that they leave out counts on from the clock before.
    Years before 1970 are no date of a feed.
    """
    if len(text) > 4 * MAX_DATE_CHARS:
        return ""
    text = " ".join(text.lower().split())
    if len(text) > MAX_DATE_CHARS:
        return ""
    try:
        when = _moment(text, zone)
    except (ValueError, OverflowError):  # a day such as 31 February, or beyond year 9999
        return ""
    if when is None or when.year < 1970:
        return ""
    return when.isoformat()[:19] + "Z"


def _moment(text: str, zone: tzinfo) -> datetime | None:
    if seconds := _SECONDS.match(text):
        count = int(seconds[1]) if seconds[1] else int(seconds[2]) // 1000
        return datetime.fromtimestamp(count, UTC)
    found = next((match for form in _FORMS if (match := form.match(text))), None)
    if found is None:
        return None
    day = datetime(_year(found["year"]), _month(found["month"]), int(found["day"]))  # noqa: DTZ001
    local = day + _since_midnight(found)
    return local.replace(tzinfo=_named(found["zone"] or "") or zone).astimezone(UTC)


def _since_midnight(found: re.Match[str]) -> timedelta:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if half := found.groupdict().get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half == "p" else 0)
    # ISO 8601 writes midnight at a day's end as 24:00, and a leap second as 60.
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second > 0):
        raise ValueError("no time of a day")
    return timedelta(hours=hour, minutes=minute, seconds=min(second, 59))


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 50 else 1900)  # RFC 5322 section 4.3


def _month(name: str) -> int:
    if name.isdecimal():
        return int(name)
    return _MONTHS.get("мая" if name == "май" else name[:3], 0)  # 0: refused as a month


def _named(name: str) -> tzinfo | None:
    """Return the zone that a date names, or None if it names none that is known."""
    sign = max(name.find("+"), name.find("-"))
    if sign < 0:
        return timezone(timedelta(hours=_HOURS[name])) if name in _HOURS else None
    digits = name[sign + 1 :].replace(":", "")
    # +3, +03, +0300 and, with a colon, +3:00
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if name[sign] == "-" else offset)
