"""Dates: what is read, in which zone, and that nothing else is taken for one."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.article.dates import utc, zone_of
from mirror.errors import FormatError
from tests.cost import within
from tests.feed_zones import BERLIN, MOSCOW

WHEN = "2026-11-16T06:30:00Z"


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 16 Nov 2026 06:30:00 GMT",
        "Mon, 16 Nov 2026 09:30:00 +0300",
        "Mon, 16 Nov 2026 09:30 MSK",
        "Mon, 16 Nov 26 01:30:00 EST",
        "16 November 2026 06:30:00 -0000",
        "Mon 16 Nov 2026 06:30:00 Z",
        "Mon, 16 Nov 2026 09:30:00 GMT+03:00 (Moscow Standard Time)",
        "Mon Nov 16 06:30:00 2026",
        "Mon Nov 16 09:30:00 +0300 2026",
        "Monday, November 16, 2026 06:30 AM",
        "Mon Nov 16 2026 06:30:00 GMT",
        "2026-11-16T06:30:00Z",
        "2026-11-16t06:30z",
        " 2026-11-16T06:30:00.123456+00:00\n",
        "2026-11-16T12:00:00+05:30",
        "2026-11-16T09:30:00+03",
        "2026-11-16 09:30:00 +0300",
        "2026-11-16 06:30:00 UTC",
        "2026-11-16 06:30",
        "20261116T063000Z",
        "16.11.2026 06:30",
        "16.11.2026, 06:30:00",
        "16.11.2026 09:30 +03:00",
        "16 ноября 2026, 06:30",
        "1794810600",
        "1794810600000",
    ],
)
def test_a_date_is_read_however_it_is_written(date: str):
    assert utc(date) == WHEN


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("2026-11-16", "2026-11-16T00:00:00Z"),
        ("20261116", "2026-11-16T00:00:00Z"),
        ("16.11.2026", "2026-11-16T00:00:00Z"),
        ("5 мая 2026", "2026-05-05T00:00:00Z"),
        ("5 май 2026", "2026-05-05T00:00:00Z"),
        ("2026-11-16T24:00:00Z", "2026-11-17T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("1 Jan 2026 12:05 AM", "2026-01-01T00:05:00Z"),
        ("1 Jan 2026 12:05 PM", "2026-01-01T12:05:00Z"),
        ("1 Jan 99 00:00:00 GMT", "1999-01-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_the_edges_of_days_and_years(date: str, when: str):
    assert utc(date) == when


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "1/2/2026",
        "2026-02-31",
        "2026-13-01",
        "31 Foo 2026 10:00",
        "2026-11-16T25:00:00Z",
        "2026-11-16T24:01:00Z",
        "2026-11-16T06:60:00Z",
        "1 Jan 2026 13:05 PM",
        "2026-11-16T06:30:00+99:99",
        "1969-12-31T23:59:59Z",
        "0022-11-22",
        "9999-12-31T23:59:59-05:00",
        "2026-11-16T06:30:00Z and more",
        "١٢٣",
        "1" * 100_000,
        " " * 8_000_000,
        "Mon, " * 100_000,
    ],
)
def test_what_is_no_date_is_none_and_takes_no_time(date: str):
    with within(0.2):
        assert utc(date) == ""


@pytest.mark.parametrize(
    "date",
    ["Mon, 16 Nov 2026 06:30:00", "2026-11-16T06:30:00", "16.11.2026 06:30", "2026-11-16 06:30"],
)
def test_a_date_without_a_zone_is_in_the_one_given(date: str):
    assert utc(date, zone_of(MOSCOW)) == "2026-11-16T03:30:00Z"
    assert utc(date, zone_of(BERLIN)) == "2026-11-16T05:30:00Z"


def test_a_zone_by_a_name_that_is_not_known_is_the_one_given():
    assert utc("Mon, 16 Nov 2026 06:30:00 XYZ", zone_of(MOSCOW)) == "2026-11-16T03:30:00Z"


@pytest.mark.parametrize(
    "date", ["Mon, 16 Nov 2026 06:30:00 GMT", "2026-11-16T06:30:00Z", "1794810600"]
)
def test_a_zone_that_is_named_is_not_overruled(date: str):
    assert utc(date, zone_of(MOSCOW)) == WHEN


def test_summer_and_winter_have_their_own_offsets():
    berlin = zone_of(BERLIN)

    assert utc("2026-07-01 12:00", berlin) == "2026-07-01T10:00:00Z"
    assert utc("2026-12-01 12:00", berlin) == "2026-12-01T11:00:00Z"


def test_an_hour_that_clocks_show_twice_is_the_first_and_one_they_skip_counts_on():
    berlin = zone_of(BERLIN)

    assert utc("2026-10-25 02:30", berlin) == "2026-10-25T00:30:00Z"
    assert utc("2026-03-29 02:30", berlin) == "2026-03-29T01:30:00Z"
    assert utc("2026-03-29 03:30", berlin) == "2026-03-29T01:30:00Z"


@pytest.mark.parametrize("tzif", [b"x", b"TZif", BERLIN[:60], b"TZif2" + b"\xff" * 200])
def test_a_zone_that_is_no_tzif_file_is_refused(tzif: bytes):
    with pytest.raises(FormatError, match="zone: not a TZif file"):
        zone_of(tzif)


@given(
    st.datetimes(datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("9999-12-30")),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
def test_every_moment_is_read_back_in_any_zone(naive: datetime, zone: timezone):
    moment = naive.replace(microsecond=0, tzinfo=zone)
    expected = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert utc(moment.isoformat()) == expected
    assert utc(moment.strftime("%a, %d %b %Y %H:%M:%S %z")) == expected
    assert utc(f"{moment:%d.%m.%Y %H:%M:%S}", zone) == expected


@given(st.text(st.sampled_from("0123456789:.-+,/() TZapmGMUnov"), max_size=60))
def test_whatever_comes_is_a_date_or_none(text: str):
    assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?", utc(text))
