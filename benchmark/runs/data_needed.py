"""The data that a suite needs: its datasets, the texts for perplexity, and the tasks of lm-eval."""

from collections.abc import Iterator, Sequence

from graftbench.benchmark.capability.lm_eval_tasks import CONDENSED, MMLU
from graftbench.benchmark.capability.measures import SideEffectsSpec
from graftbench.benchmark.capability.mmlu_squad_documents import missing_documents
from graftbench.benchmark.core.hub import NO_HUB
from graftbench.benchmark.data.corpora import CORPUS_TABLES
from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.data.rows import PublishedTable, files_in_mirror, mirror, missing_table
from graftbench.benchmark.runs.needed import FETCHED, SHIPS, Needed, asked_of_hub
from graftbench.benchmark.runs.suite import NamedDataset

_STREAMED = "too large to keep: read from the Hub as it comes, or from a mirror"
_FROM_A_MIRROR = (MMLU, CONDENSED, "squad")


def dataset_needed(named: NamedDataset) -> Needed:
    """Return what is known of a dataset."""
    dataset = dataset_named(named)
    if isinstance(named, dict) and "jsonl" in named:
        return Needed("dataset", dataset.name, True, note=f"in {named['jsonl']}")
    if not dataset.about.source:
        return Needed("dataset", dataset.name, True, note=SHIPS)
    tables = dataset.tables() if isinstance(dataset, LineDataset) else ()
    return _published("dataset", dataset.name, dataset.missing(), dataset.about.source, tables)


def side_effects_needed(spec: SideEffectsSpec) -> Iterator[Needed]:
    """Yield what is known of the tasks of lm-eval and of the texts for perplexity."""
    for name in spec.tasks:
        yield _task(name)
    table = CORPUS_TABLES.get(spec.corpus)
    if table is not None and spec.texts:
        yield _published("texts", spec.corpus, missing_table(table), table.name, (table,))


def is_streamed(name: str) -> bool:
    """Return True for texts that are read from the Hub as they come, and never kept, where no mirror has them."""
    return name in CORPUS_TABLES and CORPUS_TABLES[name].streamed and mirror() is None


def _task(name: str) -> Needed:
    if name.startswith("pocket_"):
        return Needed("task", name, True, note=SHIPS)
    where = mirror()
    if where is None or name not in _FROM_A_MIRROR:
        return Needed("task", name, None, note=FETCHED)
    missing = missing_documents(name)
    return Needed("task", name, missing is None, note=f"in {where}" if missing is None else missing)


def _published(kind: str, name: str, missing: str | None, source: str, tables: Sequence[PublishedTable]) -> Needed:
    """Return what is known of published data. `datasets` keeps what it read from the Hub, and does not tell."""
    where = mirror()
    if missing is not None:
        return Needed(kind, name, False, note=missing)
    if where is not None:
        files = {file for table in tables for file in files_in_mirror(table)}
        return Needed(kind, name, True, sum(file.stat().st_size for file in files) or None, f"in {where}")
    if any(table.streamed for table in tables):
        return Needed(kind, name, None, note=f"{_STREAMED}: {source}")
    size, note = _on_the_hub(tables)
    return Needed(kind, name, None, size, f"{note or FETCHED}: {source}")


def _on_the_hub(tables: Sequence[PublishedTable]) -> tuple[int | None, str]:
    """Return the bytes that the Hub has of some tables, None where it does not say, and why it does not."""
    sizes = []
    for table in {each.name: each for each in tables if each.url is None}.values():
        size, why = asked_of_hub(table.name, table.revision, "dataset", files=table.files)
        if size is None:
            return None, f"{FETCHED}; {NO_HUB}" if why == NO_HUB else why
        sizes.append(size)
    return sum(sizes) or None, ""
