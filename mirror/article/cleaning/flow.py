"""Walks a hostile tree and writes clean blocks: paragraphs, headings, lists, figures, tables."""

import re
from html import escape

from lxml import etree

from mirror.article.cleaning.context import Context
from mirror.article.cleaning.figure import (
    Figure,
    alternative,
    described,
    embed_html,
    figure_html,
    is_icon,
    picture_url,
    split_legend,
)
from mirror.article.cleaning.limits import MAX_BODY_CHARS
from mirror.article.cleaning.shape import demoted, is_figure, is_hidden, is_list, text_of
from mirror.article.cleaning.table import is_table, table_html
from mirror.article.cleaning.tags import DROPPED, EMBEDS, HEADINGS, INLINE, PARAGRAPHS
from mirror.article.lang import normalised
from mirror.article.links import linkable
from mirror.article.text import plain, shortened, single_spaced, without_controls
from mirror.errors import FormatError

_DIGITS = re.compile(r"[1-9][0-9]?\Z")  # a span of 99 columns is no table any more
MAX_ABBR_CHARS = 200
"""Of the long form of an abbreviation: every paragraph and part it runs into repeats it."""
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_EMBEDDINGS = re.compile("[\u202a-\u202e]")
_ISOLATES = re.compile("[\u2066-\u2069]")
_BREAKS = "\t\n\x0b\x0c\r\x85"
"""Space, and the controls that break lines elsewhere."""
_LINES = str.maketrans("\r\x0b\x0c\x85", "\n\n\n\n")
_ID = re.compile(r' id="[^"]*"')
"""Of a link that goes on in the next paragraph: a page has each id once."""


class Flow:
    """The content of one container: finished blocks and the line being written.

    A block inside an inline element ends the line: the inline tags are closed before it and
    opened again behind it, as a browser would.
    """

    def __init__(self, context: Context) -> None:
        self.blocks: list[str] = []
        self._context = context
        self._line: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._attributes = ""
        self._anchors: list[str] = []
        self._filled = False
        self._space = False
        self._tag = "p"
        self._size = 0

    def children(self, element: etree._Element) -> None:
        """Write what is inside `element`."""
        self._text(element.text)
        for child in element:
            self._visit(child)
            self._text(child.tail)

    def end_line(self) -> None:
        """Make a block of the line, if there is any text in it."""
        if self._filled:
            line = "".join(self._line).rstrip(" ") + "".join(end for _, end in self._open[::-1])
            self._append(f"<{self._tag}{self._attributes}>{line}</{self._tag}>")
        self._open = [(_ID.sub("", start), end) for start, end in self._open]
        self._line = [start for start, _ in self._open]
        self._filled = False

    def _text(self, text: str | None) -> None:
        if not text:
            return
        text = without_controls(text)  # written as numbers, which the parser has made characters
        text = _in_order(single_spaced(text, breaks=_BREAKS))
        if not self._filled or self._space:
            text = text.lstrip(" ")
        if not text:
            return
        self._filled = True
        self._space = text.endswith(" ")
        if self._anchors and not self._in_link():
            self._line += [f'<a id="{name}"></a>' for name in self._anchors]
            self._anchors.clear()
        self._line.append(escape(text, quote=False))

    def _visit(self, element: etree._Element) -> None:
        tag = element.tag
        if self._is_dropped(element, tag):
            return
        if tag in INLINE:
            self._mark(element)
            self._inline(element, INLINE[tag])
        elif tag in PARAGRAPHS or tag in HEADINGS:
            self._block(element, tag)
        elif tag in EMBEDS:
            self._add(embed_html(element, self._context.base, self._context.words))
        else:
            self._other(element, tag)

    def _is_dropped(self, element: etree._Element, tag: str) -> bool:
        if self._context.whole_page:
            return tag in DROPPED and tag != "form"
        return tag in DROPPED or is_hidden(element)

    def _other(self, element: etree._Element, tag: str) -> None:
        if tag == "a":
            self._link(element)
            return
        own = {
            "img": self._picture,
            "br": self._break,
            "hr": self._rule,
            "noscript": self._fallback,
        }.get(tag)
        if own:
            own(element)
            return
        self._mark(element)
        if tag in ("span", "bdo") and self._language(element):
            self._inline(element, "span")  # a bdo turns words round: "gpj.exe" would be shown
        else:
            self.children(element)

    def _rule(self, _: etree._Element) -> None:
        self._add("<hr>")

    def _fallback(self, element: etree._Element) -> None:
        """Read `<noscript>` only where it holds the picture that a script would have loaded."""
        before = element.getprevious()
        lazy = before is not None and before.tag == "img"
        if before is not None and lazy and not picture_url(before, self._context.base):
            self.children(element)

    def _inline(self, element: etree._Element, tag: str, attributes: str = "") -> None:
        if tag == "abbr" and element.get("title"):
            title = shortened(plain(element.get("title", "")), max_chars=MAX_ABBR_CHARS)
            attributes += f' title="{escape(title)}"'
        start = f"<{tag}{attributes}{self._language(element)}>"
        self._open.append((start, f"</{tag}>"))
        self._line.append(start)
        self.children(element)
        start, _ = self._open.pop()
        if self._line and self._line[-1] is start:
            self._line.pop()
        else:
            self._line.append(f"</{tag}>")

    def _link(self, element: etree._Element) -> None:
        href = element.get("href", "")
        if name := self._context.places.links.get(href):
            href = f"#{name}"
        elif href.startswith("#"):
            href = ""
        elif href:
            href = linkable(href, self._context.base)
        if href and not self._in_link():
            name = self._own_id(element)
            identity = f' id="{name}"' if name else ""
            self._inline(element, "a", f'{identity} href="{escape(href)}"')
        else:
            self._mark(element)
            self.children(element)

    def _own_id(self, element: etree._Element) -> str:
        name = self._context.places.targets.get(element.get("id") or element.get("name") or "", "")
        if name in self._context.named:
            return ""
        self._context.named.add(name)
        return name

    def _in_link(self) -> bool:
        return bool(self._open) and any(start.startswith("<a ") for start, _ in self._open)

    def _mark(self, element: etree._Element) -> None:
        if self._context.places.targets and (name := self._own_id(element)):
            self._anchors.append(name)

    def _break(self, element: etree._Element) -> None:
        """Write a line break; two in a row are a new paragraph."""
        if self._line and self._line[-1] == "<br>":
            self._line.pop()
            self.end_line()
        elif self._filled and self._tag == "p":
            self._line.append("<br>")
            self._space = True

    def _block(self, element: etree._Element, tag: str) -> None:
        self.end_line()
        self._mark(element)
        if tag in ("ul", "ol") and is_list(element):
            self._list(element, tag)
        elif tag == "table" and is_table(element):
            self._add(table_html(element, self._inner, self._language))
        elif is_figure(element):
            self._figure(element)
        elif own := {
            "blockquote": self._quote,
            "dl": self._definitions,
            "pre": self._preformatted,
        }.get(tag):
            own(element)
        else:
            self._paragraph(element, tag if tag in HEADINGS else self._tag)

    def _paragraph(self, element: etree._Element, tag: str) -> None:
        attributes, outer_tag = self._attributes, self._tag
        self._attributes = self._language(element) or attributes
        self._tag = tag
        self.children(element)
        self.end_line()
        self._attributes, self._tag = attributes, outer_tag

    def _inner(self, element: etree._Element) -> str:
        """Return the content of a list item, cell or quote; a lone paragraph needs no `<p>`."""
        blocks = [demoted(block) for block in self._nested(element)]
        lone = sum(block.startswith("<p") for block in blocks) == 1
        if lone and blocks[0].startswith("<p>"):
            blocks[0] = blocks[0][3:-4]
        return "".join(blocks)

    def _nested(self, element: etree._Element) -> list[str]:
        flow = Flow(self._context)
        flow.children(element)
        flow.end_line()
        return flow.blocks

    def _quote(self, element: etree._Element) -> None:
        inner = "".join(demoted(block) for block in self._nested(element))
        language = self._language(element)
        self._add(f"<blockquote{language}>{inner}</blockquote>" if inner else "")

    def _list(self, element: etree._Element, tag: str) -> None:
        items = [self._item(child) for child in element]
        start = element.get("start", "")
        attributes = f' start="{start}"' if tag == "ol" and _DIGITS.match(start) else ""
        inner = "".join(items)
        self._add(f"<{tag}{attributes}{self._language(element)}>{inner}</{tag}>" if inner else "")

    def _item(self, element: etree._Element) -> str:
        if self._is_dropped(element, element.tag):
            return ""
        name = self._own_id(element)
        inner = self._inner(element)
        identity = f' id="{name}"' if name else ""
        return f"<li{identity}{self._language(element)}>{inner}</li>" if inner else ""

    def _definitions(self, element: etree._Element) -> None:
        items = [
            f"<{child.tag}>{inner}</{child.tag}>"
            for child in element.iter("dt", "dd")
            # Those of a list inside are its own: forty inside each other took for ever.
            if next(child.iterancestors("dl", "dt", "dd"), None) is element
            and (inner := self._inner(child))
        ]
        self._add(f"<dl>{''.join(items)}</dl>" if items else "")

    def _preformatted(self, element: etree._Element) -> None:
        for line_break in element.iter("br"):
            line_break.text = "\n"
        text = _in_order(without_controls(text_of(element))).translate(_LINES).strip("\n")
        self._add(f"<pre>{escape(text, quote=False)}</pre>" if text.strip() else "")

    def _figure(self, element: etree._Element) -> None:
        images = [img for img in element.iter("img") if picture_url(img, self._context.base)]
        if len(images) != 1 or next(element.iterdescendants("figure"), None) is not None:
            self._paragraph(element, self._tag)
            return
        legend, credit = split_legend(element)
        caption = "" if legend is None else self._one_line(legend)
        self._add_figure(images[0], caption, credit)

    def _one_line(self, element: etree._Element) -> str:
        return " ".join(block[3:-4] for block in self._nested(element) if block.startswith("<p>"))

    def _picture(self, img: etree._Element) -> None:
        if is_icon(img):
            self._text(img.get("alt"))
            return
        self._add_figure(img)

    def _add_figure(self, img: etree._Element, caption: str = "", credit: str = "") -> None:
        """Add a picture; where the source has no caption, its `alt` text may serve as one."""
        url = picture_url(img, self._context.base)
        if url:
            caption = caption or escape(described(img), quote=False)
            figure = Figure(url, caption, credit, alternative(img, caption))
            self._add(figure_html(figure, self._context.words))

    def _add(self, block: str) -> None:
        self.end_line()
        if block:
            self._append(block)

    def _append(self, block: str) -> None:
        """Add a finished block; 100 tags reopened in each of 40,000 lines would fill gigabytes."""
        self._size += len(block)
        if self._size > MAX_BODY_CHARS:
            raise FormatError(f"article: too large: more than {MAX_BODY_CHARS} characters")
        self.blocks.append(block)

    def _language(self, element: etree._Element) -> str:
        """Return ` lang` and ` dir` of an element where they say something new."""
        if not element.attrib:
            return ""
        lang = normalised(element.get("lang") or "")
        direction = element.get("dir", "").lower()
        return (f' lang="{lang}"' if lang and lang != self._context.lang else "") + (
            f' dir="{direction}"' if direction in ("ltr", "rtl", "auto") else ""
        )


def _in_order(text: str) -> str:
    """Return `text` without what shows it, or what follows it, in another order than stored.

    Embeddings and overrides go; isolates stay where each is closed in this text.
    """
    if text.isascii() or not _TURNING.search(text):
        return text
    text = _EMBEDDINGS.sub("", text)
    # `plain` takes unbalanced ones out of its line.
    return text if _ISOLATES.search(plain(text)) else _ISOLATES.sub("", text)
