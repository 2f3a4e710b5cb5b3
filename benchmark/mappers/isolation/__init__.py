"""Isolation: a submission's code runs in a process that sees its fit pairs, the rows to carry, and nothing else."""
