"""The demo's tide tables: a text so long that it comes in parts."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta

PLACES = ("Old Harbour", "Gull Island")
_NEW_MOON = datetime(2027, 1, 7, 20)  # noqa: DTZ001  invented water keeps local time
_MONTH_H = 29.530589 * 24
_TIDE_H = 12.420601


def _tables() -> Iterator[str]:
    for month in range(1, 13):
        yield f"## {date(2027, month, 1):%B}"
        yield "\n".join(["| Day | " + " | ".join(PLACES), *_days(month)])


def _days(month: int) -> Iterator[str]:
    day = date(2027, month, 1)
    while day.month == month:
        places = (", ".join(_waters(day, late_h)) for late_h in (0.0, 1.35))
        yield f"| {day:%d} | {' | '.join(places)}"
        day += timedelta(days=1)


def _waters(day: date, late_h: float) -> Iterator[str]:
    """Yield the day's waters: the moon says when, and with the sun how high."""
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    age = (start - _NEW_MOON) / timedelta(hours=1)
    high = -(age - late_h) % _TIDE_H
    for half in range(-1, 4):
        hours = high + half * _TIDE_H / 2
        if 0 <= hours < 24:
            spring = 1.4 + 0.5 * math.cos(4 * math.pi * (age + hours) / _MONTH_H)
            wind = 0.2 * math.sin(age + hours) * math.sin(age / 11)
            metres = 2.4 + (spring if half % 2 == 0 else -spring) + wind
            yield f"{start + timedelta(hours=hours):%H:%M} {metres:.2f}"


TABLES = tuple(_tables())
"""A heading and a table for each month of 2027."""
