"""What an intervention costs: tasks of lm-eval, next-token distributions, perplexity and coherence under it."""
