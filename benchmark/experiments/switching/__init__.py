"""Version switching: replace a running model's activations by those of another version of it."""
