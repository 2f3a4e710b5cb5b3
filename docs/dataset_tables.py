"""The table of the installed datasets."""

from result_tables import Lines, head, row

from graftbench.benchmark.core.plugins import is_builtin, plugin_names
from graftbench.benchmark.data.registry import dataset_named


def datasets() -> Lines:
    """Yield a row for each dataset that comes with graftbench."""
    yield from head("dataset", "what it is", "for", "source", "revision", "licence")
    for name in plugin_names("datasets"):
        if is_builtin("datasets", name):
            dataset = dataset_named(name)
            kinds = dict.fromkeys(f"`{behaviour.kind}`" for behaviour in dataset.behaviours.values())
            about = dataset.about
            revision = f"`{about.revision[:12]}`" if about.revision else ""
            yield row(
                f"`{name}`",
                about.title.replace("|", r"\|"),
                ", ".join(kinds) or "`general`",
                about.source,
                revision,
                about.licence,
            )
