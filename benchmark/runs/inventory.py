"""What a suite needs besides this package: its models and data, whether they are here, and how large they are."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from graftbench.benchmark.capability.lm_eval_tasks import lm_task, load_task
from graftbench.benchmark.capability.measures import corpus
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.models.adapters import adapter_in
from graftbench.benchmark.models.folders import NOT_READ, folder_of
from graftbench.benchmark.models.packaged import is_packaged, packaged_file
from graftbench.benchmark.models.shipped import is_shipped, shipped_folder
from graftbench.benchmark.runs.data_needed import dataset_needed, is_streamed, side_effects_needed
from graftbench.benchmark.runs.model_files import PATH, bytes_in, in_cache
from graftbench.benchmark.runs.needed import ON_HUB, SHIPS, Needed, asked_of_hub
from graftbench.benchmark.runs.suite import NamedDataset, Suite


def models_of(suite: Suite) -> list[tuple[str, str | None]]:
    """Return name and revision of each model, each once; a twin is made of one of them."""
    specs = [spec for versions in suite.models.values() for spec in versions.values()]
    return list(dict.fromkeys((spec.model, spec.revision) for spec in specs if spec.model is not None))


def datasets_of(suite: Suite) -> list[NamedDataset]:
    """Return the datasets of the tasks, and that of the track `general`, each once."""
    named = [task.dataset for task in suite.tasks.values()] + ([] if suite.general is None else [suite.general])
    return [each for i, each in enumerate(named) if each not in named[:i]]


def needed(suite: Suite) -> Iterator[Needed]:
    """Yield what a suite needs; the Hub is asked about what is not here, where it can be reached.

    UserError for a name that is neither of a model here nor can be one on the Hub.
    """
    yield from dict.fromkeys(_models(suite))  # an adapter's base may be another model of the suite
    for named in datasets_of(suite):
        yield dataset_needed(named)
    if suite.side_effects is not None:
        yield from side_effects_needed(suite.side_effects)


def _models(suite: Suite) -> Iterator[Needed]:
    """Yield the models of a suite, and the bases of adapters that are here."""
    for name, revision in models_of(suite):
        model = _model(name, revision)
        yield model
        adapter = adapter_in(folder_of(name, revision)) if model.here else None
        if adapter is not None:
            yield _model(adapter.base, adapter.revision)


def fetch(suite: Suite, told: Callable[[str], None]) -> list[str]:
    """Get the models and data of a suite, so that it runs without a network; what is here already stays as it is.

    Models of judges are not among them, nor local folders that are not there yet. A download that was stopped goes on.
    Returns a sentence for each of them that cannot be had.
    """
    failed = []
    for name, get in _to_get(suite):
        told(name)
        try:
            get()
        except UserError as error:
            failed.append(str(error))
    return list(dict.fromkeys(failed))


def _to_get(suite: Suite) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of all that a suite needs and does not ship, and what gets it."""
    for name, revision in models_of(suite):
        if not name.startswith(PATH) or Path(name).is_dir():
            yield name, partial(_get_model, name, revision)
    for named in datasets_of(suite):
        dataset = dataset_named(named)
        yield dataset.name, partial(_read_all, dataset)
    effects = suite.side_effects
    for name in effects.tasks if effects else []:
        yield name, partial(_get_task, name)
    if effects is not None and effects.texts and not is_streamed(effects.corpus):
        yield effects.corpus, partial(corpus, effects.corpus, effects.texts)


def _get_model(name: str, revision: str | None) -> None:
    adapter = adapter_in(folder_of(name, revision))
    if adapter is not None:
        folder_of(adapter.base, adapter.revision)


def _get_task(name: str) -> None:
    load_task(lm_task(name))


def _read_all(dataset: Dataset) -> None:
    _ = dataset.identity


def _model(name: str, revision: str | None) -> Needed:
    if Path(name).is_dir():
        return Needed("model", name, True, bytes_in(Path(name)))
    if is_shipped(name):
        return Needed("model", name, True, note=SHIPS)
    if is_packaged(name):
        try:
            return Needed("model", name, True, packaged_file(name).stat().st_size, "in a package")
        except UserError as error:
            return Needed("model", name, False, note=str(error))
    if "/" not in name:
        shipped_folder(name)  # which knows what it may have meant
    if name.startswith(PATH):
        return Needed("model", name, False, note="there is no such folder")
    cached = in_cache(name, revision)
    if cached is not None:
        return Needed("model", name, True, bytes_in(cached))
    size, note = asked_of_hub(name, revision, "model", ignored=NOT_READ)
    return Needed("model", name, False, size, note or ON_HUB)
