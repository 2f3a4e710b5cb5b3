"""Entries: their schema, the rows behind them, and all figures that follow from their bits."""
