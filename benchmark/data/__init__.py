"""Prompts, conversations and corpora; no model is needed for them."""
