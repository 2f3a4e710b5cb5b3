"""Experiments with one refusal direction, selected as in Arditi et al. (2024): ablated everywhere, or added."""
