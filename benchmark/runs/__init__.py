"""Runs: suites, plans, cells, and the folders that they are written to."""
