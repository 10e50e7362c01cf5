"""Hostile HTML to clean blocks."""
