"""Errors, files, hashing, the cache, plug-ins and names: the foundation of every other room, without any model."""
