"""Steering vectors, directions and replacements, and generation under them."""
