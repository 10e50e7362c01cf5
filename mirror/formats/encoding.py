"""The small encodings that all formats share, each with exactly one form per value.

Base64 is RFC 4648 section 4 with padding, numbers are decimal without leading
zeros, times are `2026-11-22T16:18:00Z`, JSON has no duplicate key, no float and no
number of more than 16 digits.
"""

import base64
import binascii
import json
import re
import time
from datetime import datetime
from typing import Any, NoReturn

from mirror.errors import FormatError

HASH_SIZE = 32  # bytes, SHA-256
MAX_DIGITS = 16  # of any number: int() is slow, then raises, on much longer ones
MAX_NUMBER = 2**53 - 1  # what JavaScript, and so a reader in a browser, holds exactly

_DECIMAL = re.compile(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode()


def decode_base64(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes of `text`, of which there must be `size` if given.

    Raises:
        FormatError: not what `encode_base64` writes.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise FormatError(f"base64: not valid: {e}") from e
    if encode_base64(data) != text:
        raise FormatError("base64: not in its one canonical form")
    if size is not None and len(data) != size:
        raise FormatError(f"base64: {len(data)} bytes where {size} were expected")
    return data


def decode_hex(text: str, *, size: int) -> bytes:
    """Return the `size` bytes of lower-case hexadecimal `text`.

    Raises:
        FormatError: other characters, or another length.
    """
    if len(text) != 2 * size or not _HEX.fullmatch(text):
        raise FormatError(f"hex: {size} bytes in lower case were expected")
    return bytes.fromhex(text)


def decode_number(text: str) -> int:
    """Return a decimal number of at most 16 digits and at most 2^53 - 1.

    Raises:
        FormatError: a sign, a leading zero, or too large.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_NUMBER:
        raise FormatError("number: not a decimal without leading zeros up to 2^53-1")
    return int(text)


def encode_time(seconds: int) -> str:
    """Return Unix `seconds` as UTC, e.g. `2026-11-22T16:18:00Z`."""
    return time.strftime(_TIME_FORM, time.gmtime(seconds))


def decode_time(text: str) -> int:
    """Return the Unix seconds of a UTC time.

    Raises:
        FormatError: another form, a day that does not exist, or before 1970.
    """
    if not _TIME.fullmatch(text):
        raise FormatError("time: not of the form YYYY-MM-DDTHH:MM:SSZ")
    try:
        seconds = int(datetime.fromisoformat(text).timestamp())
    except ValueError as e:
        raise FormatError(f"time: no such moment: {text}") from e
    if seconds < 0 or encode_time(seconds) != text:  # some take 24:00:00
        raise FormatError(f"time: no such moment: {text}")
    return seconds


def encode_json(value: object) -> bytes:
    """Return `value` as UTF-8 JSON without spaces, keys in the order they are in.

    Raises:
        FormatError: text that has no UTF-8 form (a lone surrogate).
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as e:
        raise FormatError("json: text with a lone surrogate") from e


def decode_json(data: bytes) -> Any:  # noqa: ANN401 - JSON is any shape until it is checked
    """Return the JSON value in `data`; the caller bounds its length first.

    Raises:
        FormatError: not UTF-8 JSON, a duplicate key, a float, a number of more
            than 16 digits, or nesting deeper than the interpreter's stack.
    """
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_no_duplicates,
            parse_int=_integer,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as e:
        raise FormatError(f"json: {e}") from e


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FormatError("a key stands twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise FormatError("a number of more than 16 digits")
    return int(text)


def _refuse(text: str) -> NoReturn:
    raise FormatError(f"a number that is no integer: {text[:20]}")


def is_int(value: object) -> bool:
    """Return whether `value` is a whole number from 0 to 2^53 - 1 (`True` is none)."""
    return type(value) is int and 0 <= value <= MAX_NUMBER


def fields(value: object, *names: str) -> list[Any]:
    """Return the values of an object that has exactly the keys `names`, in order.

    Raises:
        FormatError: no object, or other keys, or another order.
    """
    if not isinstance(value, dict) or tuple(value) != names:
        raise FormatError(f"json: an object with exactly the keys {', '.join(names)} was expected")
    return list(value.values())
