"""CSS selectors over a whole page, all of them in one walk.

Read are types, classes, ids, attributes, `:not(…)`, `:first-child`, `:last-child`, and the four
combinators. As XPath, which lxml makes of them, `.a .a` and `.a + .a` take minutes on a page of
30,000 tags; here each tag meets each part of a selector once, whatever the page.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cssselect
from cssselect import parser
from lxml import etree

from mirror.errors import FormatError

MAX_CHARS = 500
"""Of a selector: the parser calls itself for each part."""
MAX_STEPS = 50
"""Of all selectors for one page together: one of 30,000 tags then takes up to 1.5 s, and the
search for its text without them up to 5 s."""

_Test: TypeAlias = Callable[[etree._Element, frozenset[str]], bool]
_PSEUDO: Mapping[str, _Test] = {
    "first-child": lambda element, _: element.getprevious() is None,
    "last-child": lambda element, _: element.getnext() is None,
}
_COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "exists": lambda _, __: True,
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "~=": lambda value, wanted: wanted in value.split(),
    "|=": lambda value, wanted: f"{value}-".startswith(f"{wanted}-"),
    "^=": lambda value, wanted: bool(wanted) and value.startswith(wanted),
    "$=": lambda value, wanted: bool(wanted) and value.endswith(wanted),
    "*=": lambda value, wanted: bool(wanted) and wanted in value,
}
_WHERE: Mapping[str, int] = {" ": 0, ">": 1, "+": 2, "~": 3}
"""Where the element of the step before is: above, the parent, just before, before."""


class _UnreadError(Exception):
    """A part of CSS that is not read here."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a selector: what an element must be, and where that of the part before is."""

    where: int
    tests: tuple[_Test, ...]


Selector: TypeAlias = tuple[tuple[Step, ...], ...]
"""Alternatives, each a row of steps, from the outermost element to the one that is meant."""


def compiled(text: str) -> Selector:
    """Return a selector ready for use.

    Raises:
        FormatError: not CSS, or more of it than is read here; names the selector.
    """
    if len(text) > MAX_CHARS:
        raise FormatError(f"selector: too long: more than {MAX_CHARS} characters")
    try:
        trees = cssselect.parse(text)
    except (cssselect.SelectorError, RecursionError) as e:
        raise FormatError(f"selector: not CSS: {text!r:.200}") from e
    if any(tree.pseudo_element for tree in trees):
        raise FormatError(f"selector: names no element: {text!r:.200}")
    try:
        return tuple(tuple(_steps(tree.parsed_tree)) for tree in trees)
    except _UnreadError as e:
        raise FormatError(f"selector: not read: {e} in {text!r:.200}") from e


def select(
    root: etree._Element, selectors: Mapping[str, Selector]
) -> dict[str, list[etree._Element]]:
    """Return the elements that each selector means, in the page's order.

    The tree must not be deeper than `limits` allows.
    """
    walk = _Walk(selectors)
    walk.visit(root, (0, 0, 0, 0))
    return walk.found


class _Walk:
    """One pass over a tree. A mask holds a bit for each step that ends a row met so far."""

    def __init__(self, selectors: Mapping[str, Selector]) -> None:
        self.found: dict[str, list[etree._Element]] = {name: [] for name in selectors}
        self._ends: dict[str, int] = dict.fromkeys(selectors, 0)
        self._steps: list[tuple[int, int, int, tuple[_Test, ...]]] = []
        bit = 1
        for name, selector in selectors.items():
            for steps in selector:
                before = 0
                for step in steps:
                    self._steps.append((bit, before, step.where, step.tests))
                    before, bit = bit, bit << 1
                self._ends[name] |= before

    def visit(self, element: etree._Element, around: tuple[int, int, int, int]) -> int:
        """Match `element` and all below it; `around` is what matched, by `_WHERE`."""
        own = self._matched(element, around)
        if own:
            for name, ends in self._ends.items():
                if own & ends:
                    self.found[name].append(element)
        above, last, before = around[0] | own, 0, 0
        for child in element.iterchildren(etree.Element):
            last = self.visit(child, (above, own, last, before))
            before |= last
        return own

    def _matched(self, element: etree._Element, around: tuple[int, int, int, int]) -> int:
        classes = frozenset(element.get("class", "").split())
        own = 0
        for bit, before, where, tests in self._steps:
            if before and not around[where] & before:
                continue
            if all(test(element, classes) for test in tests):
                own |= bit
        return own


def _steps(tree: object) -> Iterator[Step]:
    if isinstance(tree, parser.CombinedSelector):
        yield from _steps(tree.selector)
        yield Step(_WHERE[tree.combinator], tuple(_tests(tree.subselector)))
    else:
        yield Step(0, tuple(_tests(tree)))


def _tests(tree: object) -> Iterator[_Test]:
    """Yield what an element must pass to be what one step means."""
    match tree:
        case parser.Element(namespace=None, element=tag):
            yield from [_of_tag(tag.lower())] if tag else []
            return
        case parser.Class(class_name=name):
            yield _of_class(name)
        case parser.Hash(id=name):
            yield _of_attribute("id", "=", name)
        case parser.Attrib(namespace=None, attrib=name) if not getattr(tree, "flag", None):
            value = tree.value.value if tree.value else None
            yield _of_attribute(name.lower(), tree.operator, value or "")
        case parser.Negation(subselector=inner):
            yield _unlike(tuple(_tests(inner)))
        case parser.Pseudo(ident=name) if name in _PSEUDO:
            yield _PSEUDO[name]
        case _:
            raise _UnreadError(type(tree).__name__.lower())
    yield from _tests(tree.selector)


def _of_tag(tag: str) -> _Test:
    return lambda element, _: element.tag == tag


def _of_class(name: str) -> _Test:
    return lambda _, classes: name in classes


def _of_attribute(name: str, operator: str, wanted: str) -> _Test:
    compare = _COMPARE[operator]

    def test(element: etree._Element, _: frozenset[str]) -> bool:
        value = element.get(name)
        if value is None:
            return operator == "!="
        return compare(value, wanted)

    return test


def _unlike(tests: tuple[_Test, ...]) -> _Test:
    return lambda element, classes: not all(test(element, classes) for test in tests)
