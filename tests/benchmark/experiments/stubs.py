from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class StubJudging:
    """Judges by a function of prompts and replies, whatever the target says."""

    judge: Callable
    needs_perplexity: bool = False

    def __call__(self, items, replies, evidence=None):
        return self.judge(items, replies)
