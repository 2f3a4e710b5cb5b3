"""Whether an intervention survives its transfer into another language model, and at what cost."""
