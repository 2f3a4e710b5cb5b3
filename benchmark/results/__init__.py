"""Entries: their schema, and everything that follows from their bits."""
