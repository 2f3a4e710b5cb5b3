import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch

from graftbench.benchmark.activations import sampled, stream
from graftbench.benchmark.activations.capture import capture_rows
from graftbench.benchmark.activations.pair_writing import StreamedTexts, write_pairs
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.activations.sampled import Side, sample, write_sample, write_sampled_pairs, write_shuffled
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import with_reply
from tests.benchmark.conftest import WORDS, untrained, wrapped

TEXTS = [(Prompt(words), "So it is.") for words in WORDS]


@pytest.fixture(scope="module")
def both():
    return wrapped(untrained("qwen2")), wrapped(untrained("llama"), vocabulary=275)


def sampled_pairs(folder, both, texts, n, dtype="float32", progress=lambda _: None):
    write_sampled_pairs(folder, Side(both[0], 1), Side(both[1], 2), texts, "ends", n, dtype, progress)
    return read_pairs(folder)


@pytest.fixture
def everything(both, tmp_path):
    sides = []
    for model, site in zip(both, (1, 2), strict=True):
        chats = [with_reply(*text, model) for text in TEXTS]
        stream.write_stream(tmp_path / model.identity, model, site, [chat.text for chat in chats])
        sides.append(StreamedTexts(model, chats, stream.read_stream(tmp_path / model.identity)))
    write_pairs(tmp_path, *sides)
    return read_pairs(tmp_path)


def rows(captured):
    return torch.cat([torch.cat(each, dim=1) for each in captured.pairs.batches(64, None)])


def test_a_sample_has_every_number_at_the_most_once_and_all_alike(monkeypatch):
    drawn = sample(1000, 100)
    assert len(set(drawn.tolist())) == 100
    assert drawn.tolist() == sorted(drawn.tolist())
    assert sample(5, 100).tolist() == list(range(5))
    often = sample(2_000_000, 100_000) // 200_000  # in which tenth they are
    assert np.abs(np.bincount(often) - 10_000).max() < 5 * np.sqrt(100_000 * 0.1 * 0.9)
    monkeypatch.setattr(sampled, "_AT_ONCE", 7)
    assert sample(1000, 100).tolist() == drawn.tolist()
    assert set(sample(1000, 30).tolist()) < set(drawn.tolist())


def test_the_sample_is_of_the_pairs_that_there_are(both, everything, tmp_path):
    n = len(everything.pairs) // 3
    some = sampled_pairs(tmp_path / "some", both, TEXTS, n)
    assert torch.allclose(rows(some), rows(everything)[sample(len(everything.pairs), n)], atol=1e-5)
    assert some.share_aligned == everything.share_aligned
    starts = some.pairs.starts.tolist()
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(some.pairs) == n > starts[-1]


def test_a_budget_that_is_not_reached_changes_nothing(both, everything, tmp_path):
    progress = []
    whole = sampled_pairs(tmp_path / "whole", both, TEXTS, 10**6, progress=progress.append)
    assert torch.allclose(rows(whole), rows(everything), atol=1e-5)
    assert whole.pairs.starts.tolist() == everything.pairs.starts.tolist()
    assert sum(progress) == 2 * len(TEXTS)


def test_the_sample_does_not_depend_on_the_batches(both, tmp_path, monkeypatch):
    together = sampled_pairs(tmp_path / "together", both, TEXTS, 30)
    monkeypatch.setattr(stream, "capture_rows", partial(capture_rows, batch_tokens=1))
    alone = sampled_pairs(tmp_path / "alone", both, TEXTS, 30)
    assert torch.allclose(rows(together), rows(alone), rtol=1e-4, atol=1e-5)


def test_texts_of_which_no_pair_is_drawn_are_not_read(both, tmp_path):
    progress = []
    few = sampled_pairs(tmp_path, both, TEXTS * 4, 3, dtype="bfloat16", progress=progress.append)
    assert (len(few.pairs), few.pairs.n_texts) == (3, len(few.pairs.starts))
    assert sum(progress) == 2 * 4 * len(TEXTS)
    assert max(progress) >= 4 * len(TEXTS) - 3


def test_ten_times_the_texts_take_as_much_disk_and_little_more_memory(both, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "capture_rows", partial(capture_rows, batch_tokens=256))
    monkeypatch.setattr(sampled, "_AT_ONCE", 500)
    peaks, sizes, counts = [], [], (20, 200)
    for n in counts:
        tracemalloc.start()
        sampled_pairs(tmp_path / str(n), both, TEXTS * n, 200)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append((tmp_path / str(n) / "source.npy").stat().st_size)
    assert sizes[0] == sizes[1]
    per_text = (peaks[1] - peaks[0]) / ((counts[1] - counts[0]) * len(TEXTS))
    assert per_text < 60  # bytes; the activations of one text are thousands


def test_nothing_in_common_is_a_users_mistake(both, tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "token_ends", lambda _, tokenizer: [(id(tokenizer), 0, 0)])
    with pytest.raises(UserError, match="nothing to fit on"):
        sampled_pairs(tmp_path, both, TEXTS, 10)


def test_a_share_of_stored_pairs_is_drawn_over_all_texts_and_a_smaller_one_is_part_of_it(everything, tmp_path):
    stored, total, shares = rows(everything), len(everything.pairs), (0.5, 0.1)
    for share in shares:
        (tmp_path / f"{share}").mkdir()
        write_sample(tmp_path / f"{share}", tmp_path, share)
    half, tenth = (read_pairs(tmp_path / f"{share}") for share in shares)
    drawn = sample(total, round(total / 2))
    assert torch.equal(rows(half), stored[drawn])
    assert torch.equal(rows(tenth), stored[sample(total, round(total / 10))])
    ends = [*everything.pairs.starts.tolist()[1:], total]
    of_text = np.searchsorted(ends, drawn, side="right")
    assert half.pairs.starts.tolist() == np.unique(of_text, return_index=True)[1].tolist()
    assert half.share_aligned == everything.share_aligned
    assert {tuple(row) for row in rows(tenth).tolist()} < {tuple(row) for row in rows(half).tolist()}


def test_of_few_pairs_one_is_left(everything, tmp_path):
    (tmp_path / "one").mkdir()
    write_sample(tmp_path / "one", tmp_path, 1e-9)
    assert len(read_pairs(tmp_path / "one").pairs) == 1


def test_shuffled_pairs_are_the_same_rows_of_which_none_belongs_to_another(everything, tmp_path):
    for name in ("one", "again"):
        (tmp_path / name).mkdir()
        write_shuffled(tmp_path / name, tmp_path, seed=1)
    one, again = (read_pairs(tmp_path / name) for name in ("one", "again"))
    (own_source, own_target), (source, target), (_, repeated) = (
        next(iter(of.pairs.batches(10**6, None))) for of in (everything, one, again)
    )
    assert torch.equal(source, own_source)
    assert not torch.equal(target, own_target)
    assert torch.equal(target.sort(0).values, own_target.sort(0).values)
    assert torch.equal(repeated, target)
    assert one.pairs.starts.tolist() == everything.pairs.starts.tolist()
    assert one.share_aligned == everything.share_aligned
