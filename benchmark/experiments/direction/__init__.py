"""Experiments with one direction, selected as Arditi et al. (2024) do: ablated everywhere, or added everywhere."""
