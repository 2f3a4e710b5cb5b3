"""Training of the pocket zoo."""
