"""Errors, files, hashing, the store, plug-ins and names: what every room uses and no model is needed for."""
