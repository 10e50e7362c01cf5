"""What the pages for people say, whatever the language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The words of the pages for people in one language; `{…}` is filled by the page."""

    as_of: str
    """`{time}`: of the newest article, UTC."""
    articles: str
    """`{count}`: how many; said so that no plural is needed."""
    older: str
    newer: str
    withdrawn: str
    gone_error: str
    """Why: one for each code of a withdrawal."""
    gone_legal: str
    gone_safety: str
    gone_other: str
    gone_log: str
    changes: str
    """The title of the page that shows them."""
    revision: str
    """`{rev}`: its number."""
    was_added: str
    """Before the words that an edit brought."""
    was_removed: str
    was_changed: str
    same_words: str
    too_long: str
    moved: str
    full_text: str
    own_site: str
    mirrors_how: str
    """`{onion}`: how the addresses of onion services end."""
    mirrors_none: str
    since: str
    """`{date}`"""
    blocked: str
    """`{countries}`: their codes."""
    no_voucher: str
    proves_title: str
    proves: str
    not_title: str
    not_proven: str
    phone_title: str
    phone: str
    provider_title: str
    provider: str
    commands_title: str
    how: str
    """`{file}`: the name of an article's file, twice."""
    keys_title: str
