"""Propensity experiments: how much likelier a vector makes a reply that shows a behaviour than one that does not."""
