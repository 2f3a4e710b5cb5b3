"""Phrasings with named slots, filled to make a text and matched to read it back."""

import re
from functools import cached_property


class Frames:
    """A list of templates such as `Tell me {what}.`, numbered in order."""

    def __init__(self, *templates: str) -> None:
        self.templates = templates

    def __len__(self) -> int:
        return len(self.templates)

    def fill(self, index: int, **slots: str) -> str:
        """The text of template `index` with its slots filled."""
        return self.templates[index].format(**slots)

    def match(self, text: str) -> list[tuple[int, dict[str, str]]]:
        """Every (template, slots) whose filled text is `text`."""
        found = ((index, pattern.fullmatch(text)) for index, pattern in enumerate(self._patterns))
        return [(index, match.groupdict()) for index, match in found if match]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [_pattern(template) for template in self.templates]


def _pattern(template: str) -> re.Pattern[str]:
    slots = re.split(r"\{(\w+)\}", template)
    parts = [re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(slots)]
    return re.compile("".join(parts), re.DOTALL)
