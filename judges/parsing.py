"""The verdict in an LLM's reply, read strictly: what is not surely a verdict is none."""

import json
import re
from collections.abc import Mapping

from .protocol import Verdict
from .rubric import Rubric

_MARKS = r"[*_`\"'\s]*"
_LABEL = rf"(?:verdict|score|rating){_MARKS}[:=]{_MARKS}([\w.-]+)"
_LINE = re.compile(rf"^[\s#>-]*{_MARKS}{_LABEL}{_MARKS}\.?\s*$", re.IGNORECASE)


def schema_of(rubric: Rubric) -> Mapping[str, object]:
    """The JSON schema of a structured reply: an object whose `verdict` is one of the labels."""
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(rubric.labels)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }


def verdict_in(reply: str, rubric: Rubric) -> Verdict:
    """The verdict of a reply: the whole of it, as a label or as JSON, or its last labelled line.

    Anything else, a label that the rubric does not have too, leaves the case unscored.
    """
    word = _word_in(reply)
    if word is None:
        return Verdict(None, reply, f"no verdict in the reply {_short(reply)}", rubric.scale)
    known = {label.lower(): score for label, score in rubric.labels.items()}
    score = known.get(word.lower())
    if score is None:
        return Verdict(None, reply, f"the verdict {word!r} is none of {', '.join(rubric.labels)}", rubric.scale)
    return Verdict(score, reply, "", rubric.scale)


def _word_in(reply: str) -> str | None:
    text = reply.strip()
    if text.startswith("{"):
        return _in_json(text)
    if text and len(text.split()) == 1:
        return text.strip("*_`\"'").rstrip(".")
    found = [match for line in text.splitlines() if (match := _LINE.match(line))]
    return found[-1].group(1).rstrip(".") if found else None


def _in_json(text: str) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    verdict = found.get("verdict")
    return None if verdict is None or isinstance(verdict, (dict, list, bool)) else str(verdict)


def _short(reply: str) -> str:
    return repr(reply if len(reply) <= 80 else f"{reply[:77]}...")
