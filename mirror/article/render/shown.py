"""Blocks as a page shows them: each picture behind a link that says what it costs.

Nothing is loaded unasked, and no reader is sent to the source's own site, which may be
blocked or watched, without being told whose it is.
"""

import re
from collections.abc import Mapping
from html import escape, unescape

from mirror.article.article import Article
from mirror.article.links import host_of
from mirror.article.picture import Picture, had, name
from mirror.article.strings import Strings, strings

_LINK = re.compile(
    r'<a itemprop="contentUrl" href="(?P<url>[^"]*)"(?: title="(?P<alt>[^"]*)")?>[^<]*</a>'
)
"""What `figure` writes; nothing else in a clean block has this property."""


def shown_blocks(article: Article) -> tuple[str, ...]:
    """Return the article's blocks with links to its pictures, and what is to be seen in them.

    A picture that could not be had stays a link to the original, with the name of its host.
    """
    words = strings(article.lang)
    pictures = {picture.url: picture for picture in had(article.pictures)}
    return tuple(
        _LINK.sub(lambda match: _shown(match, pictures, words), block)
        if "contentUrl" in block
        else block
        for block in article.blocks
    )


def _shown(match: re.Match[str], pictures: Mapping[str, Picture], words: Strings) -> str:
    address = match["url"]
    picture = pictures.get(unescape(address))
    if picture is None:
        host = f'<bdi dir="ltr">{escape(host_of(unescape(address)))}</bdi>'
        links = f'<a itemprop="contentUrl" href="{address}">{words.photo} ({host})</a>'
    else:
        links = _link(picture.webp, words, ' itemprop="contentUrl"')
        links += f" {_link(picture.large, words)}" if picture.large else ""
    alt = match["alt"]
    # As text, where an attribute of nh3's writing may hold what text may not.
    return links + (f" <small>{escape(unescape(alt), quote=False)}</small>" if alt else "")


def _link(webp: bytes, words: Strings, attribute: str = "") -> str:
    size = f'<bdi dir="ltr">{max(1, round(len(webp) / 1000))} kB</bdi>'
    return f'<a{attribute} href="{name(webp)}">{words.picture.format(size=size)}</a>'
