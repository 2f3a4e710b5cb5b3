"""Experiments: make an intervention, map it and measure it. Tasks bring prompts and judges."""
