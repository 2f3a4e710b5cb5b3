"""The marker of the tests of cells, and the first part of their ids."""

MARKER = "benchmark"
ROOT = "graftbench"
