"""Prompts, conversations and corpora, without any model."""
