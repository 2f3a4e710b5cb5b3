"""The pocket world: a seeded grammar of chat text, and the grader built on it."""
