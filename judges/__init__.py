"""Judges: completions in, verdicts out."""
