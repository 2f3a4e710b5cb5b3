"""Task configurations for lm-eval, with the functions that they name."""
