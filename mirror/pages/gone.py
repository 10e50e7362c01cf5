"""The page in place of a withdrawn article: that it was withdrawn, when and why; no word of it."""

from mirror.formats.record import Void
from mirror.pages.frame import Frame, day


def gone_page(frame: Frame, void: Void, *, top: str) -> bytes:
    """Return the `index.html` of a withdrawn article; it has no title that could be repeated."""
    words = frame.words
    reasons = {
        "error": words.gone_error,
        "legal": words.gone_legal,
        "safety": words.gone_safety,
        "other": words.gone_other,
    }
    body = (
        f'<main class="t"><h1>{words.withdrawn}</h1><p class="by">{day(void.time)}</p>'
        f"<p>{reasons[void.code]}</p><p>{words.gone_log}</p></main>"
    )
    return frame.page(words.withdrawn, body, top=top)
