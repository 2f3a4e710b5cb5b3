"""The file of an entry: what cells share is written once, and comes back as it was."""

import json

import pytest
from pydantic import ValidationError

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.results import stored_entry
from graftbench.benchmark.results.entry_files import entry_text, read_entry
from graftbench.benchmark.results.packing import pack, unpack
from graftbench.benchmark.results.stored_entry import StoredEntry
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.planted import entry, flat, of
from tests.leaderboard.test_any_entry import plain


def seeds(*mapped, **more):
    return entry("mine", *(result(mapped=rate, seed=i, **more) for i, rate in enumerate(mapped)))


@pytest.mark.parametrize("whole", [plain(), entry("mine", *of(0.5)), seeds(0.2, 0.4, 0.4)])
def test_an_entry_comes_back_as_it_was(tmp_path, whole):
    assert unpack(pack(whole)) == whole
    (tmp_path / "entry.json").write_text(entry_text(whole))
    read = read_entry(tmp_path / "entry.json")
    assert read == whole
    assert read.model_dump_json() == whole.model_dump_json()
    assert entry_text(read) == entry_text(whole)


def test_what_seeds_share_is_written_once():
    stored = pack(seeds(0.2, 0.4, 0.4))
    first, second, third = stored.cells
    assert first.bits["native"] == second.bits["native"] == third.bits["native"]
    assert first.bits["mapped"] != second.bits["mapped"] == third.bits["mapped"]
    assert len(stored.shared.prompts) == len(stored.shared.experiments) == 1
    assert len(json.dumps(stored.shared.bits)) < len(flat(seeds(0.4))["cells"][0]["bits"]["random"]) * 400


def test_cells_that_are_read_hold_the_same_objects(tmp_path):
    (tmp_path / "entry.json").write_text(entry_text(seeds(0.2, 0.4)))
    one, other = read_entry(tmp_path / "entry.json").cells
    assert one.prompt_ids is other.prompt_ids
    assert one.bits["random"] is other.bits["random"]
    assert one.rates["native"] is other.rates["native"]


def record():
    return json.loads(entry_text(plain()))


def refused(tmp_path, edit):
    edited = record()
    edit(edited)
    (tmp_path / "entry.json").write_text(json.dumps(edited))
    with pytest.raises(UserError) as error:
        read_entry(tmp_path / "entry.json")
    assert str(error.value).count("\n") == 0
    return str(error.value)


KINDS = ("experiments", "prompts", "bits", "rates", "sweep", "replies", "examples", "training", "side_effects")


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_refers_to_nothing_is_refused(tmp_path, kind):
    there = len(record()["shared"][kind])
    said = refused(tmp_path, lambda e: e["shared"][kind].pop())
    assert f"a cell refers to number {there - 1} of the shared {kind}, and there are {there - 1}" in said


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda e: e["shared"]["bits"][0].__setitem__(0, "01x"), "shared.bits.0.0: String should match pattern"),
        (lambda e: e["shared"]["bits"][0].__setitem__(0, "01\n"), "shared.bits.0.0: String should match pattern"),
        (lambda e: e["shared"]["bits"].__setitem__(0, "0101"), "shared.bits.0: Input should be a valid"),
        (lambda e: e["cells"][0].update(prompts=-1), "cells.0.prompts: Input should be greater than"),
        (lambda e: e["cells"][0].update(prompts=10**30), "cells.0.prompts: Input should be less than"),
        (lambda e: e["cells"][0].pop("experiment"), "cells.0.experiment: Field required"),
        (lambda e: e["cells"][0]["side_effects"]["deployed"].pop("unsteered"), "nothing is said of the unsteered"),
        (lambda e: e.pop("shared"), "shared: Field required"),
        (lambda e: e["shared"].update(more=[]), "shared.more: Extra inputs are not permitted"),
    ],
)
def test_a_malformed_file_is_refused_in_one_sentence(tmp_path, edit, message):
    assert message in refused(tmp_path, edit)


def test_bits_count_as_often_as_cells_refer_to_them(monkeypatch):
    stored = record()
    bits = sum(len("".join(stored["shared"]["bits"][i])) for cell in stored["cells"] for i in cell["bits"].values())
    monkeypatch.setattr(stored_entry, "MAX_BITS", bits)
    StoredEntry.model_validate(stored)
    monkeypatch.setattr(stored_entry, "MAX_BITS", bits - 1)
    with pytest.raises(ValidationError, match=f"more than the {bits - 1} bits that they may have"):
        StoredEntry.model_validate(stored)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_entry_of_a_former_version_is_refused_with_what_to_do(tmp_path, version):
    said = refused(tmp_path, lambda e: e.update(schema_version=version))
    assert f"its schema has version {version}, and version 4 is read: score the mapper again" in said
