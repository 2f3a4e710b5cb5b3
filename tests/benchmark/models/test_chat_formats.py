import pytest
import yaml

import graftbench as gb
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.examples import Prompt
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.chat_formats import read_format, template_of
from graftbench.benchmark.models.load import load
from graftbench.benchmark.runs.suite import ModelSpec, Suite, read_suite
from tests.benchmark.conftest import byte_pairs, untrained

TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}assistant:"
SUITE = {"name": "mine", "max_new_tokens": 4, "tasks": {}}


@pytest.fixture
def format_file(tmp_path):
    file = tmp_path / "formats" / "plain.jinja"
    file.parent.mkdir()
    file.write_text(TEMPLATE)
    return file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFTBENCH_CACHE", str(tmp_path / "cache"))
    untrained("llama").save_pretrained(tmp_path / "model")
    byte_pairs(320).save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def suite_with(tmp_path, **spec):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(SUITE | {"models": {"llama": {"any": {"model": "llama-s-hate"} | spec}}}))
    return read_suite(str(file))


def test_a_format_is_named_or_a_file(format_file):
    assert template_of(read_format("own", None)) is None
    assert "### Instruction:" in template_of(read_format("alpaca", None))
    assert template_of(read_format("formats/plain.jinja", format_file.parents[1])) == TEMPLATE
    assert read_format(TEMPLATE, None) == TEMPLATE


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("alpacca", None, "there is no chat format 'alpacca'.*Did you mean alpaca.*A Jinja file does as well"),
        ("bad.jinja", b"{% for %}{{ x }}", "bad.jinja is no Jinja template that can be read: Expected"),
        ("bad.jinja", b"\xff{{ x }}", "bad.jinja is no Jinja template that can be read: 'utf-8' codec"),
        ("bad.jinja", b"Hello", "bad.jinja prints no messages"),
    ],
)
def test_what_is_no_format_is_one_sentence(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_format(name, tmp_path)
    with pytest.raises(UserError, match=f"mine.yaml: models.llama.any.chat: .*{message[1:]}"):
        suite_with(tmp_path, chat=name)


def test_a_file_is_looked_for_beside_the_suite_alone(format_file, monkeypatch):
    assert suite_with(format_file.parents[1], chat="formats/plain.jinja").spec("llama", "any").chat == TEMPLATE
    monkeypatch.chdir(format_file.parents[1])
    with pytest.raises(ValueError, match="there is no chat format"):  # as the suite of an entry may say
        ModelSpec(model="llama-s-hate", chat="formats/plain.jinja")


def test_a_suite_holds_the_text_of_a_format_and_its_hash_that_of_others(format_file):
    suite = suite_with(format_file.parents[1], chat="formats/plain.jinja")
    assert Suite.model_validate_json(suite.model_dump_json()).hash == suite.hash
    own = suite_with(format_file.parents[1])
    assert suite_with(format_file.parents[1], chat="own").hash == own.hash
    assert len({own.hash, suite.hash, suite_with(format_file.parents[1], chat="alpaca").hash}) == 3


def test_a_twin_has_the_format_of_its_family():
    with pytest.raises(ValueError, match="a twin has the chat format of its family"):
        ModelSpec(twin_of="llama", chat="alpaca")


def test_a_model_speaks_the_format_that_it_is_loaded_with(folder, format_file):
    own = gb.load_model(folder, device="cpu")
    assert own.identity == load(folder, device="cpu", chat="own").identity
    alpaca = gb.load_model(folder, device="cpu", chat="alpaca")
    assert chat(Prompt("Hi"), alpaca.tokenizer).text == "### Instruction:\nHi\n### Response:\n"
    plain = gb.load_model(folder, device="cpu", chat=str(format_file))
    assert chat(Prompt("Hi"), plain.tokenizer).text == "user: Hi\nassistant:"
    identities = [model.identity for model in (own, alpaca, plain)]
    assert len(set(identities)) == 3
    assert all(identity.startswith(own.identity) for identity in identities)


def test_an_unknown_format_says_which_there_are(folder):
    with pytest.raises(gb.UserError, match="cannot be loaded: there is no chat format 'chatml'.*Known: own, alpaca"):
        gb.load_model(folder, chat="chatml")
