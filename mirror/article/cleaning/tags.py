"""Which elements an article keeps, which it only looks into, and which it drops whole."""

from collections.abc import Mapping

import nh3


def _names(line: str) -> frozenset[str]:
    return frozenset(line.split())


INLINE: Mapping[str, str] = {
    **{tag: tag for tag in ("abbr", "bdi", "cite", "code", "del", "em", "ins", "kbd", "mark")},
    **{tag: tag for tag in ("q", "rp", "rt", "ruby", "s", "samp", "small", "strong", "sub", "sup")},
    "u": "u",
    "var": "var",
    "b": "strong",
    "i": "em",
    "dfn": "em",
    "tt": "code",
    "strike": "s",
}
"""Kept in a line, under the name on the right."""
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
PARAGRAPHS = _names(
    "p div section article main header footer aside body html center address fieldset details "
    "summary hgroup figcaption caption table thead tbody tfoot tr td th li dt dd dl ul ol "
    "blockquote pre figure"
)
"""Their text is a paragraph of its own; those with no rule in `flow` lose their tag."""
DROPPED = _names(
    "script style head title meta link base template form button input select textarea option "
    "label svg canvas map area nav dialog frame frameset noframes param track applet "
    "marquee xmp plaintext basefont bgsound menuitem progress meter datalist output"
)
"""Gone with all that is inside."""
EMBEDS = frozenset({"iframe", "video", "audio", "embed", "object"})

CLEANER = nh3.Cleaner(
    tags={
        *INLINE.values(),
        *("a", "blockquote", "br", "caption", "dd", "dl", "dt", "figcaption", "figure"),
        *("h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "span", "table", "tbody", "td", "th"),
        *("tr", "ul", "wbr"),
    },
    clean_content_tags={"script", "style"},
    attributes={
        "*": {"lang", "dir"},
        "a": {"href", "id", "title"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
        "ol": {"start"},
        "abbr": {"title"},
        "li": {"id"},
    },
    tag_attribute_values={
        "a": {"itemprop": {"contentUrl"}},
        "figure": {
            "itemprop": {"image"},
            "itemscope": {""},
            "itemtype": {"https://schema.org/ImageObject"},
        },
        "span": {"itemprop": {"caption", "creditText"}, "class": {"credit"}},
    },
    url_schemes={"http", "https", "mailto"},
    link_rel=None,  # the page's referrer policy speaks for all links
    strip_comments=True,
)
"""The allow-list: the last step over every block, after which nothing is added."""
