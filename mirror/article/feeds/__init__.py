"""Feeds and lists of pages, in each format that newsrooms write them."""
