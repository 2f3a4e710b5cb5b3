"""Measures shared by all tasks: fidelity, text similarity, SQuAD's scores, weaknesses in code, statistics."""
