"""The table of the paper's figures that are roughly comparable with one of ours."""

from result_tables import Lines, head, row

from graftbench.leaderboard.published import published


def published_figures() -> Lines:
    """Yield a row for each figure of a pair of models that is roughly comparable with one of ours."""
    yield from head("task", "behaviour", "pair", "figure", "condition", "paper", "source")
    for figure in published().figures:
        measure = published().measures[figure.measure]
        if measure.comparable == "roughly" and figure.pair is not None:
            value = f"{figure.value:g} %" if measure.unit == "%" else f"{figure.value:g}"
            about = f"`{figure.task}`", f"`{figure.variants[0]}`", figure.pair, measure.title, figure.condition
            yield row(*about, value, f"{figure.source.of}, {figure.source.at}")
