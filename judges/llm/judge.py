"""`llm:RUBRIC`: a model behind an OpenAI-compatible server that judges by a rubric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graftbench.judges.llm.parsing import parse_verdict, schema_of
from graftbench.judges.llm.replies import Reply
from graftbench.judges.llm.rubric import Rubric, RubricScale
from graftbench.judges.llm.server import Server
from graftbench.judges.protocol import Case, Usage, Verdict


@dataclass(frozen=True, eq=False)
class LLMJudge(RubricScale):
    """Asks the model behind a server for one of the labels of its rubric."""

    rubric: Rubric
    server: Server

    @property
    def identity(self) -> str:
        """Kind, version, rubric, model, server, and the form of replies."""
        return f"llm/2 {self.rubric.identity} {self.server.identity}"

    def __call__(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return a verdict on each case; without a parsable reply it is unscored, and the reply is not cached.

        Identical questions are asked once.
        """
        messages = {case: self.rubric.messages(case) for case in dict.fromkeys(cases) if self.rubric.can_judge(case)}
        # Two cases may make one question: not every rubric shows the prompt.
        questions = {case: conversation[-1]["content"] for case, conversation in messages.items()}
        conversations = {questions[case]: conversation for case, conversation in messages.items()}
        replies = self.server.ask(list(conversations.values()), schema_of(self.rubric), self._is_verdict)
        verdicts = dict(zip(conversations, map(self._verdict, replies), strict=True))
        return [verdicts[questions[case]] if case in questions else self.rubric.unscored for case in cases]

    def _is_verdict(self, reply: Reply) -> bool:
        return self._verdict(reply).score is not None

    def _verdict(self, reply: Reply | str) -> Verdict:
        if isinstance(reply, str):
            return Verdict(None, "", reply, self.rubric.scale)
        usage = Usage(reply.prompt_tokens or 0, reply.completion_tokens or 0, self._price(reply))
        return replace(self._parse(reply), usage=usage)

    def _price(self, reply: Reply) -> float | None:
        return None if self.server.prices is None else self.server.prices.of(reply)

    def _parse(self, reply: Reply) -> Verdict:
        scale = self.rubric.scale
        if reply.refusal:
            return Verdict(None, reply.refusal, "the judge refused", scale)
        if reply.finish == "length":
            return Verdict(None, reply.text, "the judge's reply was cut off", scale)
        if not reply.text.strip():
            return Verdict(None, "", "the judge's reply was empty", scale)
        return parse_verdict(reply.text, self.rubric)
