"""Rules by which a mapper carries a vector, by name; they load without torch."""

from typing import Literal, get_args

VectorRule = Literal["difference", "linear", "jacobian", "direct"]
VECTOR_RULES: tuple[VectorRule, ...] = get_args(VectorRule)
