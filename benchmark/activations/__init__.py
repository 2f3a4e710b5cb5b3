"""The residual stream: captured, stored, paired."""
