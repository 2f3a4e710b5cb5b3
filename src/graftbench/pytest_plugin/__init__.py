"""The pytest plugin: `pytest -m benchmark`."""
