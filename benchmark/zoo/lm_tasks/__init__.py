"""Task configurations of the pocket world for lm-eval, with the functions that they name."""
