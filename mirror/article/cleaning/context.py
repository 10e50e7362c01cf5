"""What is the same for a whole body while it is cleaned."""

from dataclasses import dataclass, field

from mirror.article.strings import Strings, strings


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for a whole body: its base address, language and footnotes."""

    base: str
    lang: str
    targets: dict[str, str] = field(default_factory=dict)
    """The source's id → the page's own."""
    named: set[str] = field(default_factory=lambda: {""})
    """Those of `targets` that stand in a block by now: a page has each id once."""
    whole_page: bool = False
    """Old sites wrap the page in one form, and some show by script what a style hides."""

    @property
    def words(self) -> Strings:
        """The program's words in the body's language."""
        return strings(self.lang)
