"""The datasets that come with graftbench, each a small file."""
