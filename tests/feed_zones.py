"""Time zones as an operator's settings hand them to the reader of a feed."""

from importlib import resources

_EUROPE = resources.files("tzdata.zoneinfo.Europe")
BERLIN = (_EUROPE / "Berlin").read_bytes()
MOSCOW = (_EUROPE / "Moscow").read_bytes()
