"""An article that is to be gone from a mirror, and where that mirror keeps what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirror.database import Database
from mirror.errors import SettingsError, StoreError
from mirror.formats.paths import article_folder
from mirror.removal.ask import Withdrawn
from mirror.settings import Settings
from mirror.state import ArticleState, State
from mirror.withdrawal import Withdrawals


@dataclass(frozen=True, slots=True)
class Case:
    """Article `short` of the mirror whose settings are at `config`.

    The database is one that was opened beside the daemon's; `now` tells Unix seconds. Addresses
    at `allow_hosts` (`HOST:PORT`) are asked although they are private.
    """

    config: Path
    settings: Settings
    db: Database
    short: str
    now: Callable[[], int]
    allow_hosts: Sequence[str] = ()

    @property
    def held(self) -> ArticleState:
        """The article as the log has it.

        Raises:
            SettingsError: there is none.
        """
        found = State(self.db).holder(self.short)
        if found is None:
            raise SettingsError(f"{self.short}: no such article")
        return found

    @property
    def site(self) -> Path:
        """The site's folder."""
        return self.config.parent / self.settings.paths.site

    @property
    def _page(self) -> str:
        return f"{article_folder(self.short)}/index.html"

    def gone(self) -> Withdrawn:
        """Return what is to be nowhere as of now: a cycle may publish an edit after the order.

        Raises:
            StoreError: our own site has no page in its stead, or it cannot be read.
        """
        try:  # before the log: an edit of this moment is a page then, and nothing in its stead
            stead = (self.site / self._page).read_bytes()
        except OSError as e:
            raise StoreError(f"{e.filename}: not read: {e.strerror}") from e
        return Withdrawn.of(self.db, self.held, stead)

    def left(self) -> list[str]:
        """Return what is in the article's folder beside the page that says so."""
        folder = self.site / article_folder(self.short)
        paths = sorted(each.relative_to(self.site).as_posix() for each in folder.rglob("*"))
        page = self._page
        return [path for path in paths if path not in (page, f"{page}.gz", f"{page}.br")]

    def done(self) -> bool:
        """Return whether the site has nothing of it any more, nor names it."""
        order = Withdrawals(self.db).find(self.short)
        return order is not None and order.done is not None
