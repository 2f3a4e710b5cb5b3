"""Training of the pocket zoo: tokenizers, data, optimizers, checkpoints."""
