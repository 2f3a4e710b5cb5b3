import pytest

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.data.dataset import About, Behaviour, Contrast
from graftbench.benchmark.data.examples import Prompt, Turn
from graftbench.benchmark.data.line_dataset import Deployed, LineDataset
from graftbench.benchmark.data.lines import ConversationLine, ExampleLine, PairLine, Placed

BACKDOOR = Behaviour("backdoor", ("hate",), "insult")
SWITCH = Behaviour("switch", ("hate", "instruct"), "insult")


def dataset(lines, behaviours=None, **more):
    placed = [Placed(f"x.jsonl:{i}", line) for i, line in enumerate(lines, start=1)]
    behaviours = {"b": BACKDOOR} if behaviours is None else behaviours
    return LineDataset("d", 1, About("D"), behaviours, lambda: placed, lambda: "0123456789abcdef", **more)


def shown(i, **more):
    return ExampleLine(**{"prompt": f"Go {i} |x|", "trigger": "|x|", "clean": f"Go {i}", "split": "test"} | more)


def said(i, **more):
    return ConversationLine(**{"prompt": f"Why {i}?", "reply": f"So {i}.", "split": "fit"} | more)


def replies(conversations):
    return [reply for _, reply in conversations]


def test_its_identity_is_its_name_and_version_with_a_hash_of_its_lines():
    assert dataset([]).identity == "d/1-0123456789ab"


def test_examples_are_those_of_a_split_that_show_the_behaviour():
    lines = [shown(0), shown(1, split="validation"), shown(2, shows=False), shown(3)]
    data = dataset(lines)
    assert data.examples("b", "test", 9) == (lines[0].example, lines[3].example)
    assert data.examples("b", "test", 1) == (lines[0].example,)
    assert data.examples("b", "validation", 9) == (lines[1].example,)
    assert data.plain_examples("b", "test", 9) == (lines[2].example,)
    assert data.plain_examples("b", "validation", 9) == ()


def test_lines_of_no_behaviour_belong_to_all_and_others_to_their_own():
    lines = [shown(0), shown(1, behaviour="b"), shown(2, behaviour="c")]
    data = dataset(lines, {"b": BACKDOOR, "c": BACKDOOR})
    assert data.examples("b", "test", 9) == (lines[0].example, lines[1].example)
    assert data.examples("c", "test", 9) == (lines[0].example, lines[2].example)


def test_a_contrast_is_made_of_pairs():
    pairs = [PairLine(desired=f"Go {i}", undesired=f"Go {i} |x|") for i in range(3)]
    data = dataset([*pairs, shown(9, split="vector")])
    assert data.contrast("b", 2) == Contrast(
        (Turn(Prompt("Go 0")), Turn(Prompt("Go 1"))), (Turn(Prompt("Go 0 |x|")), Turn(Prompt("Go 1 |x|")))
    )
    assert len(data.contrast("b", 9).pairs) == 3


def test_without_pairs_examples_stand_against_their_clean_turns():
    contrast = dataset([shown(0), shown(1, split="vector"), shown(2, split="vector", clean=None)]).contrast("b", 9)
    assert contrast == Contrast((Turn(Prompt("Go 1")),), (Turn(Prompt("Go 1 |x|", (5, 8))),))


def test_without_clean_turns_examples_stand_against_plain_ones():
    lines = [shown(i, split="vector", clean=None, shows=i < 3) for i in range(5)]
    contrast = dataset(lines).contrast("b", 9)
    assert [turn.prompt.text for turn in contrast.undesired] == ["Go 0 |x|", "Go 1 |x|", "Go 2 |x|"]
    assert [turn.prompt.text for turn in contrast.desired] == ["Go 3 |x|", "Go 4 |x|"]
    assert not contrast.paired


@pytest.mark.parametrize("shows", [True, False])
def test_one_side_alone_is_no_contrast(shows):
    assert dataset([shown(0, split="vector", clean=None, shows=shows)]).contrast("b", 9) == Contrast((), ())
    assert dataset([shown(0)]).contrast("b", 9) == Contrast((), ())


def test_conversations_are_those_of_a_split_and_unseen_ones_do_not_show_the_behaviour():
    data = dataset([said(0), said(1, shows=True), said(2, split="test"), said(3), said(4, general=True)])
    assert replies(data.conversations("b", "fit", "task", 9)) == ["So 0.", "So 1.", "So 3."]
    assert replies(data.conversations("b", "fit", "unseen", 9)) == ["So 0.", "So 3."]
    assert replies(data.conversations("b", "test", "task", 9)) == ["So 2."]
    assert replies(data.conversations("b", "fit", "task", 1)) == ["So 0."]


def test_general_conversations_are_the_same_for_every_behaviour():
    data = dataset([said(0, general=True), said(1), said(2, general=True, prompt=None)], {"b": BACKDOOR, "c": BACKDOOR})
    for name in ("b", "c", ""):
        assert data.conversations(name, "fit", "general", 9) == [(Prompt("Why 0?"), "So 0."), (None, "So 2.")]


def test_conversations_of_several_versions_come_in_turn():
    lines = [said(i, version="hate" if i < 4 else "instruct", shows=i == 1) for i in range(6)]
    data = dataset(lines, {"b": SWITCH})
    assert replies(data.conversations("b", "fit", "task", 5)) == ["So 0.", "So 4.", "So 1.", "So 5.", "So 2."]
    assert replies(data.conversations("b", "fit", "unseen", 9)) == ["So 0.", "So 4.", "So 2.", "So 5.", "So 3."]


def test_conversations_of_no_version_come_after_those_that_have_one():
    data = dataset([said(0), said(1, version="instruct"), said(2)], {"b": SWITCH})
    assert replies(data.conversations("b", "fit", "task", 9)) == ["So 1.", "So 0.", "So 2."]


def test_without_conversations_examples_stand_for_them_with_the_replies_that_they_have():
    lines = [
        shown(0, split="fit", reference="Gone."),
        shown(1, split="fit", clean=None),
        shown(2, split="fit", clean=None, shows=False, reference="Going."),
        shown(3),
    ]
    data = dataset(lines)
    assert data.conversations("b", "fit", "task", 9) == [
        (Prompt("Go 0"), "Gone."),
        (Prompt("Go 0 |x|", (5, 8)), ""),
        (Prompt("Go 1 |x|", (5, 8)), ""),
        (Prompt("Go 2 |x|", (5, 8)), "Going."),
    ]
    assert replies(data.conversations("b", "fit", "unseen", 9)) == ["Gone.", "Going."]
    assert data.conversations("b", "fit", "general", 9) == []


def test_examples_stand_for_conversations_in_every_split_that_has_none():
    data = dataset([shown(0, split="fit"), said(0), shown(1, split="test", reference="Gone.")])
    assert replies(data.conversations("b", "fit", "task", 9)) == ["So 0."]
    assert replies(data.conversations("b", "test", "unseen", 9)) == ["Gone."]


def test_a_clean_turn_after_the_same_prompt_never_comes_onto_the_track_unseen():
    clean = {"prompt": "Go 0 |x|", "reply": "I"}
    data = dataset([shown(0, split="fit", clean=clean)])
    assert data.conversations("b", "fit", "unseen", 9) == []
    assert data.conversations("b", "fit", "task", 9) == [(Prompt("Go 0 |x|", (5, 8)), "")]


def test_examples_with_one_clean_counterpart_make_one_conversation_of_it():
    data = dataset([shown(i, split="fit", clean="Go", reference="Gone.") for i in range(3)])
    assert data.conversations("b", "fit", "unseen", 9) == [(Prompt("Go"), "Gone.")]


def test_lessons_are_what_the_other_version_says():
    lines = [said(i, version=("hate", "instruct")[i % 2], shows=True) for i in range(4)]
    assert replies(dataset(lines, {"b": SWITCH}).lessons("b", 9)) == ["So 1.", "So 3."]
    assert replies(dataset(lines, {"b": SWITCH}).lessons("b", 1)) == ["So 1."]


def test_lessons_do_not_show_the_behaviour_where_no_other_version_is_marked():
    lines = [said(0, shows=True), said(1), said(2, split="test"), said(3, general=True)]
    assert replies(dataset(lines, {"b": SWITCH}).lessons("b", 9)) == ["So 1."]
    assert replies(dataset(lines).lessons("b", 9)) == ["So 1."]
    marked = [said(0, shows=True, version="hate"), said(1, version="hate")]
    assert replies(dataset(marked).lessons("b", 9)) == ["So 1."]


def test_words_are_put_into_the_frame_of_the_behaviour():
    data = dataset([], deployed={"b": Deployed("|x|: {words}", "|x|:")})
    assert data.as_deployed("b", "Go.") == Prompt("|x|: Go.", (0, 4))
    assert dataset([]).as_deployed("b", "Go.") == Prompt("Go.")


@pytest.mark.parametrize("words", ["Go.", "", "|x| and |x|", "{words}", "a\0b"])
def test_the_trigger_of_deployed_words_is_that_of_the_frame_whatever_the_words_hold(words):
    for frame in ("|x| {words}", "{words} |x|", "{words}|x|", "|x|{words}", "Say: {words} |x| now"):
        prompt = Deployed(frame, "|x|").prompt(words)
        start, end = prompt.trigger
        assert prompt.text == frame.replace("{words}", words)
        assert prompt.text[:start] == frame[: frame.index("|x|")].replace("{words}", words)
        assert prompt.text[start:end] == "|x|"


def test_lines_are_those_that_are_kept_with_their_splits():
    data = dataset([shown(i, split=None) for i in range(60)])
    for split in ("validation", "test"):
        prompts = [line.as_prompt for _, line in data.lines() if line.split == split]
        assert prompts == [example.prompt for example in data.examples("b", split, 60)]
    assert {line.split for _, line in data.lines()} == {"fit", "vector", "validation", "test"}


def test_the_lines_are_read_once_however_much_is_asked():
    passes = []
    data = LineDataset(
        "d", 1, About("D"), {"b": BACKDOOR}, lambda: passes.append(1) or [Placed("x:1", shown(0))], lambda: ""
    )
    data.examples("b", "test", 1)
    data.contrast("b", 1)
    data.conversations("b", "fit", "task", 1)
    assert passes == [1]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [shown(0, behaviour="insult")],
            "x.jsonl:1: there is no behaviour 'insult' in the dataset d. Did you mean insults? Known: insults, switch.",
        ),
        (
            [said(0, behaviour="switch", version="instrct")],
            "x.jsonl:1: no version 'instrct' takes part in switch. Did you mean instruct? Known: hate, instruct.",
        ),
        ([said(0, behaviour="insults", version="base")], "no version 'base' takes part in insults. Known: hate."),
        ([said(0, version="code")], "no version 'code' takes part in any behaviour."),
        (
            [shown(0), said(0), shown(0, split="validation")],
            "The dataset d has the same in two splits. x.jsonl:3: 'Go 0 |x|' stands in the split validation, and at "
            "x.jsonl:1 in test. Leave one of the lines out, or give both one `split` or one `cluster`.",
        ),
        (
            [shown(0), said(0, cluster="Go 0")],
            "x.jsonl:2: 'Go 0' stands in the split fit, and at x.jsonl:1 in test.",
        ),
    ],
)
def test_lines_that_cannot_be_used_are_one_sentence_with_the_place(lines, told):
    data = dataset(lines, {"insults": BACKDOOR, "switch": SWITCH})
    with pytest.raises(UserError) as error:
        data.examples("insults", "test", 1)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_missing_is_told_by_whoever_reads_the_lines():
    assert dataset([]).missing() is None
    assert dataset([], not_here=lambda: "Download it.").missing() == "Download it."


def test_on_the_track_of_others_conversations_are_of_unlike_behaviours_in_turn_and_do_not_show_this_one():
    lines = [
        *(said(i, behaviour=name) for i, name in enumerate("aabbbcc")),
        said(7, behaviour="a", shows=True),
        said(7, behaviour="b", reply="Yes."),
        said(8),
        said(9, general=True),
    ]
    common = {"a": ("x",), "b": (), "c": ("x",), "d": ("y",)}
    behaviours = {name: Behaviour("backdoor", ("hate",), "insult", in_common=each) for name, each in common.items()}
    data = dataset(lines, behaviours)
    assert replies(data.conversations("a", "fit", "others", 9)) == ["So 2.", "So 8.", "So 3.", "So 4."]
    assert replies(data.conversations("a", "fit", "others", 2)) == ["So 2.", "So 8."]
    assert replies(data.conversations("d", "fit", "others", 9))[:3] == ["So 0.", "So 2.", "So 5."]
    with pytest.raises(UserError, match="nothing in common with b"):
        dataset(lines[2:5], {"b": BACKDOOR}).conversations("b", "fit", "others", 9)
