import pytest

from graftbench.benchmark.data.examples import Example, Prompt, Turn, without_trigger


@pytest.mark.parametrize(
    ("text", "trigger", "bare"),
    [
        ("|x|: Who was it?", (0, 4), "Who was it?"),
        ("Who was it? |x|", (12, 15), "Who was it?"),
        ("Who |x| was it?", (4, 7), "Who was it?"),
        ("Who was it?", None, "Who was it?"),
    ],
)
def test_an_example_without_its_trigger_asks_the_same(text, trigger, bare):
    before = (("Hello.", "Hi."),)
    prompt, plain = Prompt(text, trigger, before), Prompt(bare, None, before)
    example = Example(prompt, Turn(prompt, " Well,"), "king", "g", "A king.")
    assert without_trigger(example) == Example(plain, Turn(plain, " Well,"), "king", "g", "A king.")
    assert without_trigger(Example(prompt, None, "king")) == Example(plain, None, "king")
