"""The inside of the box: a process that parses hostile bytes and can do nothing else.

`mirror.box` starts it and asks; one question at a time comes in on standard
input, which is a socket, and one answer goes back on it::

    question   name, options, body    each: 4 bytes of length, big-endian, then the bytes
    answer     kind, text             one byte, then as above; after PART comes another

Options and answers are JSON of the types that the job's own signature names:
unlike a pickle, JSON from a captured process runs nothing in the one that reads it.
"""

import codecs
import encodings
import gc
import importlib
import inspect
import os
import pkgutil
import signal
import struct
import sys
import time
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, is_dataclass, replace
from itertools import chain
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic_core import CoreConfig, SchemaValidator

from mirror.errors import FormatError
from mirror.seal import die_with_parent, seal

LENGTH = struct.Struct(">I")
HEAD = struct.Struct(">cI")

READY = b"r"  # text: what protection is missing, if any
BROKEN = b"b"  # it could not start; text: type, newline, traceback
ANSWER = b"a"
PART = b"p"  # of an answer, and more is to come
FORMAT = b"f"  # the job raised FormatError; text: its message
CRASH = b"c"  # the job raised anything else; text: as BROKEN
MEMORY = b"m"

CONFIG = ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64")
ITSELF = ""
ARRAYS = frozenset({"list", "tuple", "set", "frozenset"})  # of a schema
CHANNEL = 0  # file descriptor
PIECE = 1 << 16  # bytes
PART_BYTES = 1 << 18
"""Of an answer that are checked at once: 4 ms at most, in which the event loop does nothing else,
and a thread could not help. A single element may be longer."""
PART_ELEMENTS = 64
"""Of each tuple in it: then it is known how many are too long."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The JSON of one job: an array of its options in order, an array of its one answer.

    A long answer comes in parts, which are answers with some of the elements each.
    """

    signature: inspect.Signature
    options: TypeAdapter[tuple[Any, ...]]
    answer: TypeAdapter[tuple[Any]]
    answer_checker: SchemaValidator
    long: tuple[str, ...]
    """The fields of an answer that are tuples of any length; `ITSELF` where it is one."""

    @classmethod
    def of(cls, job: Callable[..., object]) -> "Wire":
        """Return it for `job(body, *, …)`, whose annotations must hold at run time."""
        hints = typing.get_type_hints(job)
        signature = inspect.signature(job)
        options = [hints[name] for name in list(signature.parameters)[1:]]
        answer = _array(hints["return"])
        # Else every wrong element is kept as an error: 4 MB of `{}` would cost the reader 5 GB.
        schema: Any = _failing_fast(answer.core_schema)
        checker = SchemaValidator(schema, CoreConfig(strict=True, val_json_bytes="base64"))
        return cls(signature, _array(*options), answer, checker, _long(hints["return"]))

    def pack(self, body: bytes, options: dict[str, object]) -> bytes:
        """Return the options as JSON, with the job's defaults for those not given."""
        bound = self.signature.bind(body, **options)
        bound.apply_defaults()
        return self.options.dump_json(tuple(bound.arguments.values())[1:], warnings="error")

    def unpack(self, options: bytes) -> dict[str, Any]:
        """Return what `pack` was given."""
        names = list(self.signature.parameters)[1:]
        return dict(zip(names, self.options.validate_json(options), strict=True))

    def parts(self, answer: object) -> Iterator[bytes]:
        """Yield an answer as JSON, one part at least."""
        most = max((len(_elements(answer, name)) for name in self.long), default=0)
        for start in range(0, most, PART_ELEMENTS) or (0,):
            yield from self._parts(answer, start, start + PART_ELEMENTS)

    def _parts(self, answer: object, start: int, end: int) -> Iterator[bytes]:
        some = {name: _elements(answer, name)[start:end] for name in self.long}
        text = self.answer.dump_json((_with(answer, some),), warnings="error")
        if len(text) <= PART_BYTES or not self.long or end - start == 1:
            yield text
            return
        del text
        middle = (start + end) // 2
        yield from self._parts(answer, start, middle)
        yield from self._parts(answer, middle, end)

    def checked(self, part: bytes | bytearray) -> Any:  # noqa: ANN401  as `joined`
        """Return a part of an answer.

        Raises:
            ValidationError: it is of another type than the job returns.
        """
        return self.answer_checker.validate_json(part)[0]

    def joined(self, parts: Sequence[Any]) -> Any:  # noqa: ANN401  what the job returns
        """Return the answer of which these are all parts, once they are checked."""
        some = {
            name: tuple(chain.from_iterable(_elements(part, name) for part in parts))
            for name in self.long
        }
        return _with(parts[0], some) if len(parts) > 1 else parts[0]


def _long(answer: Any) -> tuple[str, ...]:  # noqa: ANN401  a type as an annotation has it
    if _is_long(answer):
        return (ITSELF,)
    hints = typing.get_type_hints(answer) if is_dataclass(answer) else {}
    return tuple(name for name, hint in hints.items() if _is_long(hint))


def _is_long(hint: object) -> bool:
    return typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (...,)


def _elements(answer: Any, name: str) -> tuple[object, ...]:  # noqa: ANN401  a job's
    elements: tuple[object, ...] = answer if name == ITSELF else getattr(answer, name)
    return elements


def _with(answer: Any, some: dict[str, tuple[object, ...]]) -> object:  # noqa: ANN401
    return some[ITSELF] if ITSELF in some else replace(answer, **some) if some else answer


def _failing_fast(schema: Any) -> Any:  # noqa: ANN401  the tree of pydantic_core.core_schema
    if isinstance(schema, list):
        return [_failing_fast(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: _failing_fast(part) for key, part in schema.items()}
    return parts | {"fail_fast": True} if parts.get("type") in ARRAYS else parts


Jobs = dict[str, tuple[Callable[..., object], Wire]]


def _array(*items: object) -> TypeAdapter[Any]:
    array: Any = types.GenericAlias(tuple, items)
    return TypeAdapter(array, config=CONFIG)


def main(memory_bytes: int, packages: list[str]) -> None:
    """Warm up, give everything up, then answer until the question side is closed."""
    die_with_parent()
    sys.stderr = sys.stdout  # nowhere: only what C libraries print as they die is kept
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group: the parent decides
    try:
        jobs = _warm_up(packages)
        sealed = seal(memory_bytes)
    except Exception as e:  # noqa: BLE001  whatever it is, the parent tells the operator
        _send(BROKEN, _crash(e))
        return
    _send(READY, b"" if sealed else b"no system call filter for this processor")
    while (name := _receive()) is not None:
        for kind, text in _answer(jobs, name.decode(), _receive() or b"", _receive() or b""):
            _send(kind, text)


def _answer(jobs: Jobs, name: str, options: bytes, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    try:
        job, wire = jobs[name]
        parts = wire.parts(job(body, **wire.unpack(options)))
        text = next(parts)
        for following in parts:
            yield PART, text
            text = following
        yield ANSWER, text
    except FormatError as e:
        yield FORMAT, _text(str(e))
    except MemoryError:
        yield MEMORY, b""
    except Exception as e:  # noqa: BLE001  the parent logs it: one bad page ends no other
        yield CRASH, _crash(e)


def _crash(error: Exception) -> bytes:
    try:
        return _text(type(error).__name__ + "\n" + "".join(traceback.format_exception(error)))
    except MemoryError:
        return _text(type(error).__name__ + "\n")


def _text(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _send(kind: bytes, text: bytes) -> None:
    # Head and text together, so that a small answer wakes the parent once.
    for part in (HEAD.pack(kind, len(text)) + text[:PIECE], text[PIECE:]):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(CHANNEL, rest) :]


def _receive() -> bytes | None:
    """Return the next part of a question, or None at the end of all questions."""
    head = _read(LENGTH.size)
    return None if head is None else _read(*LENGTH.unpack(head))


def _read(size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        data = os.read(CHANNEL, min(size - len(parts), 1 << 20))
        if not data:
            return None
        parts += data
    return bytes(parts)


def _warm_up(packages: list[str]) -> Jobs:
    """Return the jobs, with all they need loaded: afterwards there is no file to load it from."""
    modules = list(_modules(packages))
    for module in modules:
        warm_up = getattr(module, "warm_up", None)
        if warm_up is not None:
            warm_up()
    jobs = dict(entry for module in modules for entry in _jobs(module))
    for found in pkgutil.iter_modules(encodings.__path__):  # a feed may name any of them
        try:
            codecs.lookup(found.name)
        except LookupError:
            continue  # of another system
    time.localtime()  # reads the time zone
    gc.collect()
    gc.freeze()  # imported code is not walked again after every job
    return jobs


def _modules(packages: list[str]) -> Iterator[types.ModuleType]:
    for name in packages:
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
            yield importlib.import_module(found.name)


def _jobs(module: types.ModuleType) -> Iterator[tuple[str, tuple[Callable[..., object], Wire]]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if function.__module__ != module.__name__ or next(iter(parameters), "") != "body":
            continue
        with suppress(PydanticUserError):  # of other types than data: no job
            yield f"{module.__name__}:{name}", (function, Wire.of(function))
