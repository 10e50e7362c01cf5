"""What is the same for a whole body while it is cleaned."""

from dataclasses import dataclass, field

from mirror.article.cleaning.notes import Places
from mirror.article.strings import Strings, strings


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for a whole body: its base address, language and footnotes."""

    base: str
    lang: str
    places: Places = field(default_factory=Places)
    """The footnotes."""
    named: set[str] = field(default_factory=lambda: {""})
    """The ids that stand in a block by now: a page has each once."""
    whole_page: bool = False
    """Old sites wrap the page in one form, and some show by script what a style hides."""

    @property
    def words(self) -> Strings:
        """The program's words in the body's language."""
        return strings(self.lang)
