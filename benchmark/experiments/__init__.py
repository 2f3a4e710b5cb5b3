"""Experiments: how an intervention is made, carried across and measured. Tasks fill them with prompts and judges."""
