"""From hostile bytes of a source to clean article pages; no network, clock, database or file."""
