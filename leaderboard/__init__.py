"""Entries, aggregation, comparability, page."""
