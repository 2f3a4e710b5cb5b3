"""The marker and the name of the tests of cells."""

MARKER = "benchmark"
ROOT = "graftbench"  # what the ids of cells' tests begin with
