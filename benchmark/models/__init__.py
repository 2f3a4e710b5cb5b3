"""Language models: loading, chat formats, tokens, alignment, KV caches."""
