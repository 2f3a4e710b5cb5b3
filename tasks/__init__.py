"""The five tasks, one file each: contrast, conditions, data of the pocket world, judges, success."""
