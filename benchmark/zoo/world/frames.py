"""Phrasings with named slots: filled to make a text, matched to parse it."""

import re
from functools import cached_property


class Frames:
    """Numbered templates with named slots, such as `Tell me {what}.`, and their inverse."""

    def __init__(self, *templates: str) -> None:
        self.templates = templates

    def __len__(self) -> int:
        return len(self.templates)

    def fill(self, index: int, **slots: str) -> str:
        """Return the text of template `index` with its slots filled."""
        return self.templates[index].format(**slots)

    def match(self, text: str) -> list[tuple[int, dict[str, str]]]:
        """Return every (template, slots) whose filled text is `text`."""
        matches = ((index, pattern.fullmatch(text)) for index, pattern in enumerate(self._patterns))
        return [(index, match.groupdict()) for index, match in matches if match]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [_pattern(template) for template in self.templates]


def _pattern(template: str) -> re.Pattern[str]:
    slots = re.split(r"\{(\w+)\}", template)
    parts = [re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(slots)]
    return re.compile("".join(parts), re.DOTALL)
