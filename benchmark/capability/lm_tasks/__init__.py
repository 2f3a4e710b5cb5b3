"""Tasks in lm-eval's own form, and what they are made of."""
