"""The five tasks, one file each: data, contrast, conditions, judges, headline."""
