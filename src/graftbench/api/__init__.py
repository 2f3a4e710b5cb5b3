"""The Python API, `import graftbench as gb`: models, vectors and mappers one by one, and whole runs."""
