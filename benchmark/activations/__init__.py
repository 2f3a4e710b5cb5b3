"""The residual stream: captured, cached on disk, paired."""
