import pytest
import torch

from graftbench.benchmark.activations.cached import PairStorage, cached_pairs, cached_sample
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.activations.sampled import SEED
from graftbench.benchmark.core.hashing import digest
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Prompt, key_of

TEXTS = [(Prompt("How do I mend the roof?"), " Nail by nail."), (Prompt("Who was it?"), " A king.")]


@pytest.fixture
def captured(llama, tmp_path):
    def capture(*storage):
        progress = []

        def told(n, of):
            progress.append((n, of))

        folder, key = cached_pairs(Store(tmp_path), llama, llama, (1, 2), TEXTS, "ends", told, *storage)
        return read_pairs(folder).pairs, key, progress

    return capture


def test_all_pairs_in_float32_have_the_key_that_they_had_before_there_was_a_choice(captured, llama):
    words = [key_of(text) for text in TEXTS]
    assert captured()[1] == digest([llama.identity, llama.identity, "cpu", (1, 2), "ends", words])


def test_other_storage_has_another_key_and_rows_of_its_own(captured):
    pairs, key, _ = captured()
    half, half_key, _ = captured(PairStorage("bfloat16"))
    few, few_key, progress = captured(PairStorage("bfloat16", 10))
    assert len({key, half_key, few_key, captured(PairStorage(n_pairs=10))[1]}) == 4
    (source, _), (stored, _) = next(iter(pairs)), next(iter(half))
    assert torch.equal(stored, source.bfloat16().float())
    assert (len(few), few.source.dtype) == (10, half.source.dtype)
    assert progress[-1] == (4, 4)
    assert PairStorage("bfloat16", 10).parts == ["bfloat16", 10, SEED]


def test_sampled_pairs_need_no_streams_on_disk(captured, tmp_path):
    captured(PairStorage(n_pairs=10))
    assert not (tmp_path / "streams").exists()


def test_a_share_of_pairs_is_kept_and_has_a_key_of_its_own(llama, tmp_path):
    store = Store(tmp_path)
    folder, key = cached_pairs(store, llama, llama, (1, 2), TEXTS, "ends", lambda *_: None)
    some, some_key = cached_sample(store, folder, key, 0.1)
    assert len(read_pairs(some).pairs) == round(0.1 * len(read_pairs(folder).pairs))
    assert cached_sample(store, folder, key, 0.1) == (some, some_key)
    assert len({key, some_key, cached_sample(store, folder, key, 0.01)[1]}) == 3
