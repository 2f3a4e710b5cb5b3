"""Language models: loading, architectures, chat formats, tokens, alignment, KV caches, twins."""
