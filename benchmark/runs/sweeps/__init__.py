"""Sweeps over sites, strengths, positions, fit sizes and seeds."""
