"""An extension of griffe: examples in docstrings (`>>> ...`) are shown as code."""

import re
from typing import Any

from griffe import Extension, Object

# From a prompt to the next blank line, as doctest has it.
EXAMPLE = re.compile(r"^>>> .*?(?=^\s*$|\Z)", re.DOTALL | re.MULTILINE)


class FencedExamples(Extension):
    """Put each example of a docstring between fences, since Markdown takes `>` for a quotation."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of a loaded module, class or function."""
        if obj.docstring is not None:
            value = EXAMPLE.sub(lambda example: f"```pycon\n{example[0].rstrip()}\n```\n", obj.docstring.value)
            obj.docstring.value = value
