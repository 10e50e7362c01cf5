"""An article out of a page: what is its text, and what the page says of it."""
