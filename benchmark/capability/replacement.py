"""A target whose activations are replaced, everywhere, by what a mapper makes of a source's on the same text."""

import json
from pathlib import Path

from graftbench.benchmark.activations.cached import captured_pairs
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.capability.corpora import corpus
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.files import sha256_of
from graftbench.benchmark.core.names import split_pair
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example, Prompt
from graftbench.benchmark.interventions.conditions import Condition
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.generation import Row
from graftbench.benchmark.mappers import saving
from graftbench.benchmark.mappers.fitting import checked, fitted_mapper
from graftbench.benchmark.mappers.loading import MapperSpec, find
from graftbench.benchmark.mappers.protocol import Mapper
from graftbench.benchmark.models.architectures import Sites
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.load import Model, check_site, load

FITTED_ON = 1000  # texts


def replacement(mapper: str, pair: str, sites: str, target: Model, fitted_on: str) -> Condition:
    """The condition of full replacement by a mapper: a folder that holds a fitted one, or one to fit on a corpus.

    UserError where models, sites and mapper do not go together.
    """
    named, wanted = split_pair(pair)
    if wanted != target.name:
        raise UserError(f"The pair {pair} leads to {wanted}, and the target is {target.name}: name that one last.")
    source = load(named, device=str(target.device))
    places = _sites(sites)
    for model, site in zip((source, target), places, strict=True):
        check_site(model, site)
    folder = Path(mapper)
    made = folder if (folder / saving.REST).is_file() else _fitted(mapper, source, target, places, fitted_on)
    carry = checked(_loaded(made, source, target), target.d, str(target.device))
    identity = f"{source.identity} {sha256_of(made / saving.TENSORS)} {sha256_of(made / saving.REST)}"
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
    """The folder of a mapper that is fitted on a corpus, or was before."""
    store, found = Store(), find(MapperSpec(mapper))
    texts = _chats(fitted_on)
    folder, data_hash = captured_pairs(store, source, target, sites, texts, "ends", lambda *_: None)
    pairs = read_pairs(folder, str(target.device)).pairs
    return fitted_mapper(store, found, pairs, data_hash, 0, str(target.device)).folder


def _chats(name: str) -> list[tuple[Prompt, str]]:
    found = [(Prompt(text.prompt), text.said) for text in corpus(name, FITTED_ON) if text.prompt is not None]
    if not found:
        raise UserError(f"The texts of {name} are no conversations: fit on pocket or alpaca.")
    return found


def _loaded(folder: Path, source: Model, target: Model) -> Mapper:
    record = json.loads((folder / saving.REST).read_text(encoding="utf-8"))
    widths = record["d_source"], record["d_target"]
    if widths != (source.d, target.d):
        raise UserError(
            f"The mapper in {folder} carries width {widths[0]} to {widths[1]}; {source.name} has {source.d} and "
            f"{target.name} {target.d}."
        )
    return saving.load(find(MapperSpec(record["name"])), folder)
