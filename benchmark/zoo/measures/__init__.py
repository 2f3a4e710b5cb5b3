"""What the models of the zoo can do, measured on held-out prompts."""
