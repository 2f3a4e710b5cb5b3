"""Side effects of interventions: lm-eval tasks, KL of next-token distributions, perplexity and coherence."""
