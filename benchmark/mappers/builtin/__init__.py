"""Built-in mappers and controls."""
