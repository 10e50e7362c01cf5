"""An article's own pages, and back."""
