"""Steering experiments: one vector per position, added there, under every condition."""
