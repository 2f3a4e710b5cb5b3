"""Steering experiments: one vector per position, added at the trigger, under every condition."""
