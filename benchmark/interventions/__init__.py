"""Steering vectors, directions, replacement of activations, and generation under them."""
