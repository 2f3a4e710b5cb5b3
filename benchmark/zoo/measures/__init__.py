"""Measurements of zoo models on held-out prompts, for their cards."""
