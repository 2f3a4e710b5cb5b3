"""An LLM that judges by a rubric, over the OpenAI interface."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graftbench.judges.llm.parsing import schema_of, verdict_in
from graftbench.judges.llm.replies import Reply
from graftbench.judges.llm.rubric import ByRubric, Rubric
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case, Usage, Verdict


@dataclass(frozen=True, eq=False)
class LLMJudge(ByRubric):
    """Asks a model behind a server for the verdict that its rubric wants."""

    rubric: Rubric
    server: Server

    @property
    def identity(self) -> str:
        """Kind, version, rubric, model and where it is served, and how it is asked."""
        return f"llm/2 {self.rubric.identity} {self.server.identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict on each case; a reply that holds none, or no reply, leaves it unscored, and is not kept.

        Questions that are alike are asked once.
        """
        unlike = [case for case in dict.fromkeys(cases) if self.rubric.can_judge(case)]
        asked = {case: self.rubric.messages(case) for case in unlike}
        said = {
            case: messages[-1]["content"] for case, messages in asked.items()
        }  # not every rubric shows all of a case
        conversations = {said[case]: messages for case, messages in asked.items()}
        replies = self.server.ask(list(conversations.values()), schema_of(self.rubric), self._is_verdict)
        found = dict(zip(conversations, map(self._verdict, replies), strict=True))
        return [found[said[case]] if case in said else self.rubric.unjudged for case in cases]

    def _is_verdict(self, reply: Reply) -> bool:
        return self._verdict(reply).score is not None

    def _verdict(self, reply: Reply | str) -> Verdict:
        if isinstance(reply, str):
            return Verdict(None, "", reply, self.rubric.scale)
        took = Usage(reply.prompt_tokens or 0, reply.completion_tokens or 0, self._price(reply))
        return replace(self._read(reply), took=took)

    def _price(self, reply: Reply) -> float | None:
        return None if self.server.prices is None else self.server.prices.of(reply)

    def _read(self, reply: Reply) -> Verdict:
        scale = self.rubric.scale
        if reply.refusal:
            return Verdict(None, reply.refusal, "the judge refused", scale)
        if reply.finish == "length":
            return Verdict(None, reply.text, "the judge's reply was cut off", scale)
        if not reply.text.strip():
            return Verdict(None, "", "the judge's reply was empty", scale)
        return verdict_in(reply.text, self.rubric)
