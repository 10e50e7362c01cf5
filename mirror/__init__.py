"""Tamizdat: a newsroom's articles, signed and mirrored where they cannot be blocked."""
