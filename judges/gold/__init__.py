"""Completions with known labels, by construction or by two independent readers; thresholds that are set on them."""
