"""Completions of the pocket world with known labels: by construction, or by two independent readers."""
