"""The design of a propensity experiment."""

from dataclasses import dataclass, field

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.experiments.steering.design import VectorDesign


@dataclass(frozen=True, eq=False)
class PropensityDesign(VectorDesign):
    """One experiment: each prompt has a reply that shows the behaviour (`reference`) and one that does not (`other`).

    The propensity of a prompt is the mean log-likelihood per token of the first minus that of the second: for replies
    of one token the difference of their logits (Rimsky et al., 2024; Tan et al., 2024, section 3.2).
    """

    task: str = field(kw_only=True)  # name and version

    def check(self) -> None:
        """Raise UserError where a model has no such site, or a prompt lacks one of its replies."""
        super().check()
        for example in (*self.validation, *self.test):
            if not example.reference or not example.other:
                raise UserError(
                    f"The prompt {example.prompt.text[:60]!r} needs two replies, one that shows the behaviour "
                    "(`reference`) and one that does not (`other`)."
                )
