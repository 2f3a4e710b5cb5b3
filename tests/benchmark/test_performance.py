"""Speed, as ratios within one run: `pytest -m performance -s`. Nothing here is asserted in the ordinary tests."""

import time
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from graftbench.benchmark.activations.capture import residuals
from graftbench.benchmark.activations.pairs import ActivationPairs
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.decoding import Decoding
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.operators import Add
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from graftbench.benchmark.mappers.builtin.linear import BATCH_ROWS
from graftbench.benchmark.models.chat import Chat
from graftbench.benchmark.models.tokens import pad
from tests.benchmark.conftest import untrained, wrapped

pytestmark = pytest.mark.performance

SHAPE = {
    "hidden_size": 128,
    "num_hidden_layers": 6,
    "intermediate_size": 384,
    "head_dim": 32,
    "vocab_size": 2048,
    "max_position_embeddings": 512,
    "initializer_range": 0.05,
    "eos_token_id": None,
}
NEW = 32


@pytest.fixture(scope="module")
def big():
    model = wrapped(untrained("llama", **SHAPE))
    model.module.generation_config.eos_token_id = None
    model.module.generation_config.pad_token_id = 0
    model.tokenizer.pad_token = "<pad>"
    return model


def rows_of(n, interventions):
    words = "How do I mend the roof of the old house by the river"
    return [Row(Chat(words, ((0, len(words)),)), interventions(i)) for i in range(n)]


def steered(i):
    torch.manual_seed(i)
    return (Add(2, 0.1 * torch.randn(4, 128), (-5, -4, -3, -2)),)


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(one, other, times=5):
    """The ratio of the medians of two kinds of work, done in turn."""
    one(), other()
    pairs = [(seconds(one), seconds(other)) for _ in range(times)]
    return float(np.median([a for a, _ in pairs])), float(np.median([b for _, b in pairs]))


def told(what, ours, theirs, wanted):
    print(f"\n{what}: {ours:.3f} s against {theirs:.3f} s, ratio {theirs / ours:.2f} (wanted {wanted})")  # noqa: T201


def hooked_generate(model, rows, limits=None):
    """Plain transformers `generate` with a hook that adds to the prompt's pass."""
    ids = torch.tensor([model.tokenizer(row.text.text, add_special_tokens=False).input_ids for row in rows])
    addition = torch.zeros(*ids.shape, 128)
    for i, row in enumerate(rows):
        for step in row.interventions:
            addition[i, list(step.positions)] = step.vectors
    pending = [addition]

    def hook(_, args, kwargs):
        return ((args[0] + pending.pop(), *args[1:]), kwargs) if pending else None

    with ExitStack() as stack, torch.inference_mode():
        stack.callback(model.blocks[2].register_forward_pre_hook(hook, with_kwargs=True).remove)
        more = {} if limits is None else {"stopping_criteria": limits}
        return model.module.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False, **more
        )


def test_interventions_cost_next_to_nothing(big):
    free, changed = rows_of(256, lambda _: ()), rows_of(256, steered)
    ours, theirs = in_turn(
        lambda: generate(big, changed, max_new_tokens=NEW), lambda: generate(big, free, max_new_tokens=NEW)
    )
    told("256 rows under interventions, against without", ours, theirs, "at least 0.95")


def test_many_rows_together_are_faster_than_one_prompt_at_a_time(big):
    rows = rows_of(256, steered)
    alone = seconds(lambda: [hooked_generate(big, [row]) for row in rows[:32]]) * 8
    ours = seconds(lambda: generate(big, rows, max_new_tokens=NEW))
    told("256 rows together, against generate one at a time (32 timed, times 8)", ours, alone, "at least 20")


def test_equal_lengths_are_no_slower_than_generate(big):
    rows = rows_of(128, steered)
    ours, theirs = in_turn(
        lambda: generate(big, rows, max_new_tokens=NEW), lambda: hooked_generate(big, rows), times=25
    )
    told("128 rows of equal length, against generate with a hook", ours, theirs, "at least 1.0")


def test_rows_that_are_finished_leave(big):
    """Three rows of four end after a quarter of the tokens."""
    from transformers import StoppingCriteria

    rows = rows_of(128, steered)
    start = len(big.tokenizer(rows[0].text.text, add_special_tokens=False).input_ids)

    class Ends(StoppingCriteria):
        def __call__(self, input_ids, scores, **kwargs):
            early = torch.arange(len(input_ids)) % 4 != 0
            return early & (input_ids.shape[1] - start >= NEW // 4)

    class Early(Decoding):
        def _read(self, step):
            super()._read(step)
            self._replies.ended |= (self._replies.alive % 4 != 0) & (step + 1 >= NEW // 4)

    def ours():
        ids = [big.tokenizer(row.text.text, add_special_tokens=False).input_ids for row in rows]
        return Early(big, rows, ids, NEW, ()).run()

    times = in_turn(ours, lambda: hooked_generate(big, rows, [Ends()]))
    told("128 rows, lengths four to one, against generate with a hook", *times, "at least 1.3")


@pytest.mark.parametrize("site", [2, 3, 4])
def test_capture_stops_at_its_site(big, site):
    inputs = pad([list(range(10, 74))] * 32, big)

    @torch.inference_mode()
    def full():
        big.module.model(**inputs, use_cache=False)

    @torch.inference_mode()
    def embedding():
        big.module.model.embed_tokens(inputs["input_ids"])

    ours, theirs = in_turn(lambda: residuals(big, inputs, [site]), full, times=15)
    bound = 1.15 * site / 6 * theirs + seconds(embedding)
    print(f"\ncapture at site {site} of 6: {ours / theirs:.3f} of a full pass (wanted at most {bound / theirs:.3f})")  # noqa: T201


def test_streamed_ridge_is_little_slower_than_its_matrix_products():
    rng = np.random.default_rng(0)
    n, d = 40 * BATCH_ROWS, 256
    source, target = (rng.standard_normal((n, d), dtype=np.float32) for _ in range(2))
    pairs = ActivationPairs(source, target, np.arange(0, n, 64))
    x, y = torch.from_numpy(source).double(), torch.from_numpy(target).double()

    def products():
        return x.T @ x, x.T @ y

    ours, theirs = in_turn(lambda: Ridge().fit(pairs, seed=0), products, times=3)
    print(f"\nstreamed ridge: {ours / theirs:.2f} times the bare products (wanted at most 1.5)")  # noqa: T201


def test_memory_stays_flat_from_ten_thousand_to_a_million_pairs(tmp_path):
    import subprocess
    import sys

    peaks = {}
    for n in (10_000, 1_000_000):
        code = f"""
import torch
from pathlib import Path
torch.set_num_threads(1)
from graftbench.benchmark.mappers.builtin.closed_forms import Ridge
from graftbench.benchmark.activations.pair_writing import StreamedTexts, write_pairs
from graftbench.benchmark.activations.pairs import read_pairs
from graftbench.benchmark.activations.stream import read_stream, write_stream
from graftbench.benchmark.models.chat import Chat
from tests.benchmark.conftest import untrained, wrapped
model = wrapped(untrained("llama"))
text = "How do I mend the roof of the old house by the river? " * 2
chat = Chat(text, ((0, len(text)),))
per_text = len(model.tokenizer(text).input_ids)
folder, texts = Path({str(tmp_path / str(n))!r}), [chat] * ({n} // per_text)
for site in (1, 2):
    write_stream(folder / str(site), model, site, [chat.text for chat in texts])
write_pairs(folder, *(StreamedTexts(model, texts, read_stream(folder / str(site))) for site in (1, 2)))
pairs = read_pairs(folder).pairs
Ridge().fit(pairs, seed=0)
status = Path("/proc/self/status").read_text()  # the peak of this process alone
print(len(pairs), int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        count, peak = done.stdout.split()
        peaks[int(count)] = float(peak)
    print(f"\npeak memory in MB, by pairs: {peaks}")  # noqa: T201


def test_memory_of_a_sample_does_not_grow_with_the_texts(tmp_path):
    import subprocess
    import sys

    peaks = {}
    for n in (500, 10_000):
        code = f"""
import torch
from pathlib import Path
torch.set_num_threads(1)
from graftbench.benchmark.activations.sampled import Side, write_sampled_pairs
from graftbench.benchmark.data.examples import Prompt
from tests.benchmark.conftest import untrained, wrapped
model = wrapped(untrained("llama", max_position_embeddings=1024))
texts = [(Prompt("How do I mend the roof of the old house by the river? " * 10), " Nail by nail.")] * {n}
sides = Side(model, 1), Side(model, 2)
write_sampled_pairs(Path({str(tmp_path / str(n))!r}), *sides, texts, "ends", 10_000, "bfloat16", lambda _: None)
status = Path("/proc/self/status").read_text()  # the peak of this process alone
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[n] = float(done.stdout), (tmp_path / str(n) / "source.npy").stat().st_size
    print(f"\nMB at the peak and bytes on disk, by texts: {peaks}")  # noqa: T201
