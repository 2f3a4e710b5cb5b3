import pytest
import torch

from graftbench.benchmark.activations.incremental import IncrementalReader
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.interventions.conditions import Row
from graftbench.benchmark.interventions.cross_model import Follow, Link
from graftbench.benchmark.interventions.decoding import stop_tokens
from graftbench.benchmark.interventions.generation import generate
from graftbench.benchmark.interventions.hooks import Batch
from graftbench.benchmark.interventions.operators import Ablate, Add, Replace, Rewrite
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.tokens import token_ids
from tests.benchmark.conftest import WORDS, untrained, wrapped

N = 12


def rows_of(model, *conditions):
    texts = [chat(Prompt(words), model.tokenizer) for words in WORDS]
    return [Row(text, condition) for condition in conditions or [()] for text in texts]


def tokens_of(model, rows, **settings):
    return [c.tokens for c in generate(model, rows, **{"max_new_tokens": N, **settings})]


def spelt_out(model, row, n=N):
    """One token after the other, one row at a time, without a cache."""
    ids = token_ids(row.text.text, model.tokenizer)
    start = len(ids)
    while len(ids) < start + n:
        steps = []
        for step in row.interventions:
            if isinstance(step, Ablate | Rewrite) or step.positions is None:
                steps.append(step)
            elif isinstance(step, Add) and step.generated is not None:
                said = min(len(ids) - start, len(step.generated))
                behind = range(start - len(ids), start - len(ids) + said)
                before = [p - (len(ids) - start) for p in step.positions]
                steps.append(Add(step.site, torch.cat([step.vectors, step.generated[:said]]), (*before, *behind)))
            else:  # positions are counted from the end of the prompt
                steps.append(type(step)(step.site, step.vectors, tuple(p - (len(ids) - start) for p in step.positions)))
        with torch.inference_mode(), Batch([tuple(steps)]).on(model.blocks):
            ids.append(int(model.module(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        if ids[-1] in stop_tokens(model):
            break
    return tuple(ids[start:])


def conditions():
    torch.manual_seed(3)
    return [
        (),
        (Add(1, 3 * torch.randn(2, 16), (-4, -2)),),
        (Add(2, 2 * torch.randn(16), None),),
        (Replace(1, torch.randn(16), (-1,)),),
        (Replace(0, torch.randn(16), None),),
        (Ablate(torch.randn(16)),),
        (Add(1, 3 * torch.randn(2, 16), (-3, -1), generated=3 * torch.randn(5, 16)),),
        (Rewrite(1, shifted, "shifted"), Add(1, 2 * torch.randn(16), None)),
        (Rewrite(2, torch.tanh, "tanh"),),
        (Rewrite(1, torch.tanh, "tanh"), Rewrite(1, shifted, "shifted")),
    ]


def shifted(states):
    return 0.5 * states.roll(1, dims=-1) + 1


def test_rows_with_interventions_of_their_own_decode_as_each_does_alone_without_a_cache(model):
    rows = rows_of(model, *conditions())
    assert tokens_of(model, rows) == [spelt_out(model, row) for row in rows]


def test_prompts_that_are_read_once_for_many_rows_give_what_each_row_gives_alone(model):
    later = [condition for condition in conditions() if all(getattr(step, "site", 0) > 0 for step in condition)]
    assert len(later) > 3
    assert tokens_of(model, rows_of(model, *later)) == [spelt_out(model, row) for row in rows_of(model, *later)]


def test_a_prompt_without_interventions_is_read_once_however_often_it_is_asked(llama):
    read = []
    handle = llama.blocks[1].register_forward_pre_hook(lambda _, args, __: read.append(len(args[0])), with_kwargs=True)
    tokens = tokens_of(llama, rows_of(llama, (), ()))
    handle.remove()
    assert read[0] == len(WORDS)
    assert tokens[: len(WORDS)] == tokens[len(WORDS) :]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_batch_size_changes_no_token(llama, batch_size):
    rows = rows_of(llama, *conditions())
    assert tokens_of(llama, rows, batch_size=batch_size) == tokens_of(llama, rows, batch_size=64)


def test_rewriting_with_the_identity_changes_no_token(model):
    same = rows_of(model, (Rewrite(1, lambda states: states, "identity"),))
    assert tokens_of(model, same) == tokens_of(model, rows_of(model))


def test_a_row_ends_with_a_stop_token_while_others_go_on(llama):
    free = tokens_of(llama, rows_of(llama))
    llama.module.generation_config.eos_token_id = [free[0][3], 2]
    stopped = tokens_of(llama, rows_of(llama))
    for whole, cut in zip(free, stopped, strict=True):
        where = [i for i, token in enumerate(whole) if token in (free[0][3], 2)]
        assert cut == (whole[: where[0] + 1] if where else whole)
    assert len(stopped[0]) == 4
    assert max(map(len, stopped)) == N


def test_broken_logits_are_reported(llama):
    broken = (Add(0, torch.full((16,), float("inf")), (-1,)),)
    completions = generate(llama, rows_of(llama, (), broken), max_new_tokens=3)
    assert [c.finite for c in completions] == [True] * 5 + [False] * 5


def test_progress_is_reported_for_every_row(llama):
    reports = []
    generate(llama, rows_of(llama), max_new_tokens=2, batch_size=2, progress=reports.append)
    assert sum(reports) == 5


def following(source, target, prompt_only=False, predict=lambda states: states, sites=(1,)):
    follow = Follow(source, tuple(Link(site, site, predict) for site in sites), "", prompt_only)
    return [Row(chat(Prompt(w), target.tokenizer), (), follow, chat(Prompt(w), source.tokenizer)) for w in WORDS]


def test_a_model_that_follows_itself_says_what_it_says(model):
    assert tokens_of(model, following(model, model)) == tokens_of(model, rows_of(model))


def test_following_a_model_with_other_blocks_below_the_site_gives_what_that_model_says():
    one, other = wrapped(untrained("llama")), wrapped(untrained("llama"))
    torch.manual_seed(9)
    for parameter in other.blocks[0].parameters():
        parameter.data = torch.randn_like(parameter) * 0.5
    assert tokens_of(one, rows_of(one)) != tokens_of(other, rows_of(other))
    rows = following(other, one)
    assert tokens_of(one, rows) == tokens_of(other, rows_of(other))
    assert tokens_of(one, rows, batch_size=1) == tokens_of(other, rows_of(other))


@pytest.mark.parametrize("vocabulary", [320, 275])
def test_at_several_sites_each_is_followed(vocabulary):
    """Two blocks differ, so that one site alone gives neither model."""
    one, other = wrapped(untrained("llama")), wrapped(untrained("llama"))
    torch.manual_seed(9)
    for parameter in (p for i in (0, 1) for p in other.blocks[i].parameters()):
        parameter.data = torch.randn_like(parameter) * 0.5
    wanted = tokens_of(other, rows_of(other))
    assert tokens_of(one, following(other, one, sites=(1,))) != wanted
    assert tokens_of(one, following(other, one, sites=(1, 2))) == wanted
    assert tokens_of(one, following(other, one, sites=(2, 1)), batch_size=2) == wanted
    elsewhere = wrapped(other.module, vocabulary)  # reads other tokens, or the same
    both = [tokens_of(one, following(elsewhere, one, sites=sites)) for sites in ((1, 2), (2, 1))]
    assert both[0] == both[1]


def test_following_a_model_that_reads_on_gives_what_reading_anew_gives(model, llama, monkeypatch):
    source = wrapped(model.module, 300)  # which cuts text otherwise
    rows = following(source, llama)
    went_on = []
    can_extend = IncrementalReader._can_extend
    monkeypatch.setattr(
        IncrementalReader, "_can_extend", lambda *about: went_on.append(can_extend(*about)) or went_on[-1]
    )
    reading_on = tokens_of(llama, rows)
    assert any(went_on)
    monkeypatch.setattr(IncrementalReader, "_can_extend", lambda *_: False)
    assert tokens_of(llama, rows) == reading_on


def test_rows_that_follow_and_rows_that_do_not_share_a_batch():
    one, other = wrapped(untrained("llama")), wrapped(untrained("qwen2"))
    mixed = [row for pair in zip(rows_of(one), following(other, one), strict=True) for row in pair]
    alone = tokens_of(one, rows_of(one)), tokens_of(one, following(other, one))
    assert tokens_of(one, mixed) == [tokens for pair in zip(*alone, strict=True) for tokens in pair]


def test_others_go_on_when_all_rows_that_follow_have_ended(llama):
    free = tokens_of(llama, rows_of(llama))
    llama.module.generation_config.eos_token_id = [free[0][1], 2]
    rows = [following(llama, llama)[0], *rows_of(llama)[1:]]
    stopped = tokens_of(llama, rows)
    assert len(stopped[0]) == 2
    assert max(map(len, stopped)) == N
    assert stopped == tokens_of(llama, rows_of(llama))


def test_others_go_on_when_all_rows_with_an_ablation_have_ended(llama):
    torch.manual_seed(5)
    rows = [rows_of(llama, (Ablate(torch.randn(16)),))[0], *rows_of(llama)[1:]]
    alone = [tokens_of(llama, [row])[0] for row in rows]
    llama.module.generation_config.eos_token_id = [alone[0][0], 2]
    stopped = tokens_of(llama, rows)
    assert len(stopped[0]) == 1
    assert stopped == [tokens_of(llama, [row])[0] for row in rows]
    assert max(map(len, stopped)) > 1


def test_a_source_with_another_tokenizer_reads_the_same_text(llama):
    source = wrapped(untrained("qwen2"), vocabulary=290)
    seen = []

    def remember(states):
        seen.append(len(states))
        return states

    rows = following(source, llama, predict=remember)[:1]
    tokens = tokens_of(llama, rows)[0]
    n_aligned = seen[0]
    assert n_aligned >= len(WORDS[0].split())
    assert all(n == 1 for n in seen[1:])
    assert 0 < len(seen) - 1 <= len(tokens) - 1  # one prediction for each generated token that has a partner


def test_prompt_only_leaves_generated_tokens_alone(llama):
    source = wrapped(untrained("qwen2"))
    seen = []

    def remember(states):
        seen.append(states)
        return states

    tokens_of(llama, following(source, llama, prompt_only=True, predict=remember))
    assert len(seen) == len(WORDS)
