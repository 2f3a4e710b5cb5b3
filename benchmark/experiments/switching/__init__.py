"""Version switching: a model's activations are replaced, while it runs, by those of another version of it."""
