"""The words of the pages for people in English."""

from mirror.pages.words.form import Words

WORDS = Words(
    as_of="As of {time}",
    articles="Articles: {count}",
    older="Older",
    newer="Newer",
    withdrawn="Withdrawn by the newsroom",
    gone_error="Reason: it was wrong.",
    gone_legal="Reason: the law or a court.",
    gone_safety="Reason: somebody’s safety.",
    gone_other="Reason: not given.",
    gone_log=(
        "The public log still shows that there was an article here, and keeps no word of "
        "it. Its earlier address leads to this page only."
    ),
    changes="What was changed",
    revision="Revision {rev}",
    was_added="Added",
    was_removed="Removed",
    was_changed="Changed",
    same_words=(
        "The words are the same: something else was changed, such as a picture, a link or a name."
    ),
    too_long="Too much to compare it here: read both revisions.",
    moved="This article is at another address:",
    full_text="Feed with the full text",
    own_site="The newsroom’s own site",
    mirrors_how=(
        "Every mirror has the same files. Where one stops loading, try another, and write a few "
        "addresses down while this page still opens. An address that ends in {onion} opens in Tor "
        "Browser only."
    ),
    mirrors_none=(
        "No public mirror is listed at present. Ask whoever gave you this address for another."
    ),
    since="since {date}",
    blocked="blocked in {countries}",
    no_voucher=(
        "This page cannot vouch for itself: whoever forges a mirror forges this page too. "
        "Compare the keys below with a copy that reached you another way: from the newsroom’s "
        "own site, in print, or from somebody you trust."
    ),
    proves_title="What a signature proves",
    proves=(
        "That the newsroom’s key signed exactly these bytes: nobody on the way has altered them, "
        "this mirror included. The first command below also proves that the article is in the "
        "newsroom’s public log, from which nothing can be removed unseen."
    ),
    not_title="What it does not prove",
    not_proven=(
        "That what the text says is true. That it is the newest revision, or was not withdrawn: "
        "only the first command can tell, and only online. That nobody has stolen the key."
    ),
    phone_title="What stays on your phone",
    phone=(
        "This site sets no cookies and runs no scripts. Your browser still keeps the addresses "
        "of pages in its history and copies of them in its cache; a private window forgets both "
        "when you close it. What you save stays until you delete it. “Quick exit” opens an empty "
        "page, but clears nothing: the back button returns here."
    ),
    provider_title="What your provider sees",
    provider=(
        "The name of this mirror’s host, when you read, and how much you load; over https, not "
        "which article. Tor Browser hides the name too."
    ),
    commands_title="The commands",
    how=(
        "Save an article, say {file}, with the files beside it whose names begin with {file}, "
        "and the key files below, in one folder. Any one of these commands is enough; only the "
        "first asks the log too."
    ),
    keys_title="The keys",
)
