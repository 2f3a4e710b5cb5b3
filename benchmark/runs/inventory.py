"""What a suite needs besides this package: its models and datasets, whether they are here, and how large they are."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from graftbench.benchmark.capability.lm_eval_tasks import lm_task, load_task
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.data.rows import mirror
from graftbench.benchmark.models.adapters import adapter_in
from graftbench.benchmark.models.load import NOT_READ, folder_of
from graftbench.benchmark.models.packaged import is_packaged, packaged_file
from graftbench.benchmark.models.shipped import is_shipped, shipped_folder
from graftbench.benchmark.runs.suite import NamedDataset, Suite

_WEIGHTS = (".safetensors", ".bin")
_FETCHED = "on the Hub, unless it was fetched"


@dataclass(frozen=True)
class Needed:
    """A model or a dataset of a suite, with its size in bytes where that is known, and what there is to say of it.

    `here` is None where it is not known.
    """

    kind: str
    name: str
    here: bool | None
    size: int | None = None
    note: str = ""


def models_of(suite: Suite) -> list[tuple[str, str | None]]:
    """Return name and revision of each model, each once; a twin is made of one of them."""
    specs = [spec for versions in suite.models.values() for spec in versions.values()]
    return list(dict.fromkeys((spec.model, spec.revision) for spec in specs if spec.model is not None))


def datasets_of(suite: Suite) -> list[NamedDataset]:
    """Return the datasets of the tasks, and that of the track `general`, each once."""
    named = [task.dataset for task in suite.tasks.values()] + ([] if suite.general is None else [suite.general])
    return [each for i, each in enumerate(named) if each not in named[:i]]


def needed(suite: Suite) -> Iterator[Needed]:
    """Yield what a suite needs; the Hub is asked about models that are not here, where it can be reached.

    UserError for a name that is neither of a model here nor can be one on the Hub.
    """
    for name, revision in models_of(suite):
        model = _model(name, revision)
        yield model
        adapter = adapter_in(folder_of(name, revision)) if model.here else None
        if adapter is not None:
            yield _model(adapter.base, adapter.revision)
    for named in datasets_of(suite):
        yield _dataset(named)
    for name in suite.side_effects.tasks if suite.side_effects else []:
        ours = name.startswith("pocket_")
        yield Needed("task", name, True if ours else None, note="ships with graftbench" if ours else _FETCHED)


def fetch(suite: Suite, told: Callable[[str], None]) -> None:
    """Get the models and data of a suite, so that it runs without a network; what is here already stays as it is.

    Models of judges are not among them.

    A download that was stopped goes on. UserError where something cannot be had.
    """
    for name, revision in models_of(suite):
        told(name)
        adapter = adapter_in(folder_of(name, revision))
        if adapter is not None:
            told(f"{adapter.base}, the base of {name}")
            folder_of(adapter.base, adapter.revision)
    for named in datasets_of(suite):
        dataset = dataset_named(named)
        told(dataset.name)
        _ = dataset.identity  # reads all of it
    for name in suite.side_effects.tasks if suite.side_effects else []:
        told(name)
        load_task(lm_task(name))


def _model(name: str, revision: str | None) -> Needed:
    if Path(name).is_dir():
        return Needed("model", name, True, _bytes_in(Path(name)))
    if is_shipped(name):
        return Needed("model", name, True, note="ships with graftbench")
    if is_packaged(name):
        try:
            return Needed("model", name, True, packaged_file(name).stat().st_size, "in a package")
        except UserError as error:
            return Needed("model", name, False, note=str(error))
    if "/" not in name:
        shipped_folder(name)  # which knows what it may have meant
    if name.startswith(("/", "./", "../", "~")):
        folder_of(name)  # which says that there is none
    cached = _in_cache(name, revision)
    return _on_the_hub(name, revision) if cached is None else Needed("model", name, True, _bytes_in(cached))


def _bytes_in(folder: Path) -> int:
    """Return the size of the weights, those in pickles where there are no others."""
    for suffix in _WEIGHTS:
        files = list(folder.glob(f"*{suffix}"))
        if files:
            return sum(file.stat().st_size for file in files)
    return 0


def _is_whole(folder: Path) -> bool:
    """Return True where all files of weights are there that a list in the folder names, and at least one."""
    for listed in folder.glob("*.index.json"):
        files = set(json.loads(listed.read_text(encoding="utf-8")).get("weight_map", {}).values())
        return all((folder / name).is_file() for name in files)
    return _bytes_in(folder) > 0


def _in_cache(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model that was downloaded whole, None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
    return folder if _is_whole(folder) else None  # a download that was stopped


def _on_the_hub(name: str, revision: str | None) -> Needed:
    """Return what the Hub says of a model, without downloading it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        files = snapshot_download(name, revision=revision, ignore_patterns=NOT_READ, dry_run=True)
    except GatedRepoError:
        return Needed("model", name, False, note="gated: accept its conditions on its page, and run `hf auth login`")
    except RepositoryNotFoundError:
        return Needed("model", name, False, note="the Hub has no such model, or it is private")
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError):
        return Needed("model", name, False, note="the Hub cannot be reached from here")
    return Needed("model", name, False, sum(file.file_size or 0 for file in files), "on the Hub")


def _dataset(named: NamedDataset) -> Needed:
    """Return what is known of a dataset. `datasets` keeps what it read from the Hub, and does not tell."""
    dataset = dataset_named(named)
    if isinstance(named, dict) and "jsonl" in named:
        return Needed("dataset", dataset.name, True, note=f"in {named['jsonl']}")
    if not dataset.about.source:
        return Needed("dataset", dataset.name, True, note="ships with graftbench")
    missing, where = dataset.missing(), mirror()
    if missing is not None:
        return Needed("dataset", dataset.name, False, note=missing)
    if where is not None:
        return Needed("dataset", dataset.name, True, note=f"in {where}")
    return Needed("dataset", dataset.name, None, note=f"{_FETCHED}: {dataset.about.source}")
