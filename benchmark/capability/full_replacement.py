"""Full replacement: a target's activations are replaced everywhere by the mapped ones of a source on the same text."""

import json
from pathlib import Path

from graftbench.benchmark.activations.cached import cached_pairs
from graftbench.benchmark.capability.measures import corpus
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.hashing import sha256_of
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Condition, Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.model_check import check_once
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.fitting import fit_mapper
from graftbench.benchmark.mappers.host import CheckedMap, MapperHost
from graftbench.benchmark.mappers.hosts import host_of, isolation_of
from graftbench.benchmark.mappers.info import describe
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Dtype, Model, check_site, load

FITTED_ON = 1000  # texts


def full_replacement(
    mapper: str, pair: str, sites: str, target: Model, fitted_on: str, dtype: Dtype = "float32"
) -> Condition:
    """Return the condition of full replacement by a mapper.

    `mapper` is a folder with a fitted mapper, or the name or file of one that is then fitted on the corpus
    `fitted_on`; `pair` is `source->target`, `sites` the site in each, such as `2,4`, and `dtype` the source's.

    UserError where models, sites and mapper do not fit together.

    """
    source_name, target_name = split_pair(pair)
    if target_name != target.name:
        raise UserError(f"The pair {pair} leads to {target_name}, and the target is {target.name}: name that one last.")
    source = load(source_name, dtype=dtype, device=str(target.device))
    check_once(Store(), source)
    places = _sites(sites)
    for model, site in zip((source, target), places, strict=True):
        check_site(model, site)
    folder = Path(mapper)
    fitted = folder if (folder / saving.RECORD_FILE).is_file() else _fitted(mapper, source, target, places, fitted_on)
    carry = CheckedMap(_loaded(fitted, source, target), target.d)
    identity = f"{source.identity} {sha256_of(fitted / saving.TENSORS_FILE)} {sha256_of(fitted / saving.RECORD_FILE)}"
    follow = Follow(source, (Link(*places, carry),), identity)

    def row(_: Example, text: Chat) -> Row:
        return Row(text, follow=follow)

    return Condition("replacement", row)


def _sites(text: str) -> Sites:
    first, comma, second = text.partition(",")
    if not comma or not first.strip().isdecimal() or not second.strip().isdecimal():
        raise UserError(f"--sites takes the site in the source and in the target, such as 2,4, and not {text!r}.")
    return int(first), int(second)


def _fitted(mapper: str, source: Model, target: Model, sites: Sites, fitted_on: str) -> Path:
    """Return the folder of a mapper fitted on a corpus, from the cache where it was fitted before."""
    store, info = Store(), describe(mapper)
    texts = _chats(fitted_on)
    folder, data_hash = cached_pairs(store, source, target, sites, texts, "ends", lambda *_: None)
    return fit_mapper(store, info, folder, data_hash, 0, str(target.device), isolation_of(info)).folder


def _chats(name: str) -> list[tuple[Prompt, str]]:
    texts = corpus(name, FITTED_ON)
    chats = [(Prompt(text.prompt), text.continuation) for text in texts if text.prompt is not None]
    if not chats:
        raise UserError(f"The texts of {name} are no conversations: fit on pocket or alpaca.")
    return chats


def _loaded(folder: Path, source: Model, target: Model) -> MapperHost:
    record = json.loads((folder / saving.RECORD_FILE).read_text(encoding="utf-8"))
    widths = record["d_source"], record["d_target"]
    if widths != (source.d, target.d):
        raise UserError(
            f"The mapper in {folder} maps width {widths[0]} to {widths[1]}; {source.name} has {source.d} and "
            f"{target.name} {target.d}."
        )
    info = describe(record["name"])
    host = host_of(info, str(target.device), isolation_of(info))
    host.load(folder)
    return host
