import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graftbench.benchmark.activations.arrays import as_memmap, as_tensor, open_npy
from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.activations.pair_writing import StreamedTexts, write_pairs
from graftbench.benchmark.activations.pairs import ActivationPairs, read_pairs
from graftbench.benchmark.activations.stream import read_stream, write_stream
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import Chat, chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS, untrained, wrapped

PRECISE = ("float32", "bfloat16")


def chats(model):
    return [chat(Prompt(words), model.tokenizer).with_reply("So it is.") for words in WORDS]


def streamed(folder, model, site, progress=lambda _: None, dtype="float32"):
    texts = chats(model)
    write_stream(folder, model, site, [text.text for text in texts], progress, dtype)
    return StreamedTexts(model, texts, read_stream(folder))


def numbered(n=10):
    rows = np.arange(n, dtype=np.float32)[:, None]
    return ActivationPairs(rows, 10 * rows, np.arange(0, n, 2))


def test_captured_pairs_are_both_models_states_of_one_token(tmp_path):
    source, target = wrapped(untrained("qwen2")), wrapped(untrained("llama"))
    progress = []
    texts = list(zip(chats(source), chats(target), strict=True))
    both = streamed(tmp_path / "s", source, 1, progress.append), streamed(tmp_path / "t", target, 2, progress.append)
    write_pairs(tmp_path, *both)
    captured = read_pairs(tmp_path)
    assert captured.share_aligned == 1
    assert sum(progress) == 2 * len(WORDS)
    at = 0
    for text, _ in texts:
        ids = torch.tensor([token_ids(text.text, source.tokenizer)])
        for model, side, site in ((source, captured.pairs.source, 1), (target, captured.pairs.target, 2)):
            hidden = residuals(model, {"input_ids": ids}, [site])[site][0]
            assert torch.allclose(torch.tensor(as_memmap(side)[at : at + len(hidden)]), hidden, atol=1e-4)
        at += ids.shape[1]
    assert len(captured.pairs) == at
    assert captured.pairs.n_texts == len(WORDS)


def test_other_tokenizers_give_fewer_pairs(tmp_path):
    source, target = wrapped(untrained("qwen2")), wrapped(untrained("llama"), vocabulary=275)
    write_pairs(tmp_path, streamed(tmp_path / "s", source, 1), streamed(tmp_path / "t", target, 1))
    captured = read_pairs(tmp_path)
    n_target = sum(len(token_ids(text.text, target.tokenizer)) for text in chats(target))
    assert 0.3 < captured.share_aligned < 1
    assert len(captured.pairs) == round(captured.share_aligned * n_target)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_pairs_take_half_the_disk_in_half_precision_and_are_read_as_float32(tmp_path, llama, dtype):
    for name in ("float32", dtype):
        write_pairs(tmp_path / name, *(streamed(tmp_path / f"{name}{i}", llama, i, dtype=name) for i in (1, 2)))
    exact, stored = (read_pairs(tmp_path / name).pairs for name in ("float32", dtype))
    sizes = [(tmp_path / name / "source.npy").stat().st_size for name in ("float32", dtype)]
    assert sizes[0] - sizes[1] == 2 * llama.d * len(exact)
    for seed in (None, 3):
        for (source, target), rows in zip(exact.batches(7, seed), stored.batches(7, seed), strict=True):
            assert rows[0].dtype == rows[1].dtype == torch.float32
            assert torch.equal(rows[0], source.to(getattr(torch, dtype)).float())
            assert torch.equal(rows[1], target.to(getattr(torch, dtype)).float())


def test_a_model_in_half_precision_loses_nothing_in_storage_of_its_own_dtype(tmp_path):
    model = wrapped(untrained("llama").bfloat16())
    exact, stored = (as_tensor(streamed(tmp_path / d, model, 2, dtype=d).stream.rows.read(), "cpu") for d in PRECISE)
    assert torch.equal(exact, stored)


def test_what_is_too_large_for_float16_is_told_with_what_to_write(tmp_path, llama):
    llama.module.get_input_embeddings().weight.data *= 1e6
    with pytest.raises(UserError, match="at site 0 that are too large for float16: write `storage: bfloat16`"):
        streamed(tmp_path, llama, 0, dtype="float16")
    streamed(tmp_path, llama, 0, dtype="bfloat16")


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, llama, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="write `pairs: N` in the suite to fit on so many sampled tokens"):
        streamed(tmp_path, llama, 1)
    assert not list(tmp_path.iterdir())


def test_nothing_in_common_is_a_users_mistake(tmp_path, llama):
    one = streamed(tmp_path / "s", llama, 1)
    other = replace(one, texts=[Chat("", ((0, 0),))] * len(one.texts))
    with pytest.raises(UserError, match="nothing to fit on"):
        write_pairs(tmp_path, one, other)


def test_batches_hold_every_pair_once_in_order_or_shuffled():
    pairs = numbered()
    in_order = torch.cat([source for source, _ in pairs.batches(3, None)]).flatten().tolist()
    shuffled = list(pairs.batches(3, 7))
    assert in_order == list(range(10))
    order = torch.cat([source for source, _ in shuffled]).flatten().tolist()
    assert sorted(order) == in_order != order
    assert all(torch.equal(target, 10 * source) for source, target in shuffled)
    assert order == torch.cat([source for source, _ in pairs.batches(4, 7)]).flatten().tolist()


def test_a_split_keeps_texts_whole():
    first, last = numbered().split(0.4)
    assert (len(first), len(last)) == (6, 4)
    assert (first.n_texts, last.n_texts) == (3, 2)
    assert last.source[0, 0] == 6
    assert last.split(0.5)[1].source[0, 0] == 8


@pytest.mark.parametrize("most", [0, 2**26], ids=["mapped", "in memory"])
def test_rows_on_disk_are_those_in_memory(tmp_path, monkeypatch, most):
    monkeypatch.setattr("graftbench.benchmark.activations.pairs._SHUFFLED_IN_MEMORY", most)
    pairs = numbered(1000)
    for side, rows in (("source", pairs.source), ("target", pairs.target)):
        np.save(tmp_path / f"{side}.npy", rows)
    np.save(tmp_path / "starts.npy", pairs.starts)
    np.save(tmp_path / "aligned.npy", np.array(1.0))
    stored = read_pairs(tmp_path).pairs
    for ours, theirs in ((pairs, stored), *zip(pairs.split(0.3), stored.split(0.3), strict=True)):
        for seed in (None, 3):
            for a, b in zip(ours.batches(64, seed), theirs.batches(64, seed), strict=True):
                assert torch.equal(a[0], b[0])
                assert torch.equal(a[1], b[1])


def test_a_file_of_something_else_holds_no_rows(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"rows\.npy does not hold rows of activations"):
        open_npy(tmp_path / "rows.npy")


def test_pairs_can_be_iterated_again_and_again():
    pairs = numbered()
    assert len(list(pairs)) == len(list(pairs)) == 1


def test_a_full_disk_is_a_users_mistake_and_not_the_end_of_the_process(tmp_path, llama):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))  # a file may not grow beyond this
    try:
        with pytest.raises(UserError, match=r"states\.npy cannot be written"):
            write_stream(tmp_path, llama, 1, [chats(llama)[0].text])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
