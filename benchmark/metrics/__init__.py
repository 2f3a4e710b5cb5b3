"""Measures shared by all tasks."""
