"""The pocket world's tasks for lm-eval."""
