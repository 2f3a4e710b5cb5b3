"""How the tests of cells are marked and called."""

MARKER = "benchmark"
ROOT = "graftbench"  # what the ids of cells' tests begin with
