"""The verdict in an LLM's reply, read strictly: what is not surely a verdict is none."""

import json
import re
from collections.abc import Mapping

from graftbench.judges.llm.rubric import Rubric
from graftbench.judges.protocol import Verdict

_MARKS = r"[*_`\"'\s]*"
_LABEL = rf"(?:verdict|score|rating){_MARKS}[:=]{_MARKS}([\w.-]+)"
# A quotation, which `>` begins, is somebody else's verdict.
_LINE = re.compile(rf"^[\s#-]*{_MARKS}{_LABEL}{_MARKS}\.?\s*$", re.IGNORECASE)
_FENCED = re.compile(r"^```\w*\n(.*)\n```$", re.DOTALL)


def schema_of(rubric: Rubric) -> Mapping[str, object]:
    """The JSON schema of a structured reply: an object whose `verdict` is one of the labels."""
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(rubric.labels)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }


def verdict_in(reply: str, rubric: Rubric) -> Verdict:
    """The verdict of a reply: the whole of it, as a label or as JSON, or the labelled line that it ends with.

    A labelled line after which more is said may be a quotation of what is judged: it leaves the case unscored, as does
    anything else, a label too that the rubric does not have.
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
    if fenced := _FENCED.match(text):
        text = fenced[1].strip()
    if text.startswith("{"):
        return _in_json(text)
    if text and len(text.split()) == 1:
        return text.strip("*_`\"'").rstrip(".")
    found = _LINE.match(text.splitlines()[-1]) if text else None
    return found.group(1).rstrip(".") if found else None


def _in_json(text: str) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    verdict = found.get("verdict")
    return None if verdict is None or isinstance(verdict, (dict, list, bool)) else str(verdict)


def _short(reply: str) -> str:
    return repr(reply if len(reply) <= 80 else f"{reply[:77]}...")
