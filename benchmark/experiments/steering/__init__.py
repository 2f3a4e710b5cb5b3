"""Steering experiments: one vector per position, added to the target under every condition."""
