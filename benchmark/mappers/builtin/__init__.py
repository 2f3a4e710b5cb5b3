"""The mappers and controls that ship."""
