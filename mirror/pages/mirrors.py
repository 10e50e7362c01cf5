"""The list of mirrors: where else the same site can be read."""

from collections.abc import Sequence
from html import escape

from mirror.formats.index import Mirror
from mirror.pages.frame import Frame, day, link


def mirrors_page(frame: Frame, mirrors: Sequence[Mirror]) -> bytes:
    """Return `mirrors.html`; the public mirrors only, which may be none."""
    words = frame.words
    items = "".join(_item(frame, mirror) for mirror in mirrors)
    listing = f'<ul class="l">{items}</ul>' if items else f"<p>{words.mirrors_none}</p>"
    feeds = "".join(
        f'<li><a href="{path}">{label} <bdi dir="ltr">({kind})</bdi></a></li>'
        for path, label, kind in (
            ("feed.xml", frame.common.feed, "Atom"),
            ("feed.json", frame.common.feed, "JSON"),
            ("feed/full.xml", words.full_text, "Atom"),
        )
    )
    title = frame.common.mirrors
    how = words.mirrors_how.format(onion='<bdi dir="ltr">.onion</bdi>')
    body = (
        f'<main class="t"><h1>{title}</h1><p>{how}</p>{listing}'
        f'<h2>{frame.common.feed}</h2><ul class="l">{feeds}</ul></main>'
    )
    return frame.page(title, body)


def _item(frame: Frame, mirror: Mirror) -> str:
    notes = [
        f'<bdi dir="ltr">{mirror.kind}</bdi>',
        frame.words.since.format(date=day(mirror.since)),
    ]
    if mirror.blocked_in:
        countries = escape(", ".join(mirror.blocked_in))
        notes.append(frame.words.blocked.format(countries=f'<bdi dir="ltr">{countries}</bdi>'))
    return f"<li>{link(mirror.url)} <small>{' · '.join(notes)}</small></li>"
