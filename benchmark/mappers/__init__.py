"""Mappers: learned maps from the activations of one model to those of another, and the controls."""
