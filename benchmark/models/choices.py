"""Choices about models that a suite states; they load without torch, so that suites do."""

from typing import Literal

Alignment = Literal["ends", "index"]  # how tokens of two models are paired
Dtype = Literal["float32", "bfloat16", "float16"]
Sites = tuple[int, int]  # in the source and in the target
