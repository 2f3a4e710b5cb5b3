"""The engine; it knows no task, no judge and no mapper by name."""
