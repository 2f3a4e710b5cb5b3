"""What the tasks and judges that are installed say of a dataset."""

from collections.abc import Iterator

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest, plugin, plugin_names
from graftbench.benchmark.data.dataset import Dataset
from graftbench.benchmark.data.lines import ConversationLine
from graftbench.benchmark.experiments.protocol import Task
from graftbench.judges.llm.rubric import read_rubric
from graftbench.judges.protocol import Case, Judge
from graftbench.judges.registry import judge_of
from graftbench.judges.spec import read_spec
from graftbench.tasks.base import USUAL_JUDGES

MAX_JUDGED = 500  # replies of a behaviour
# A reply that has the other version's answer may show what the running version shows.
_JUDGED_KINDS = ("backdoor", "refusal", "hidden_fact")


def shown_unseen(dataset: Dataset) -> Iterator[str]:
    """Yield conversations for the track `unseen` whose reply shows the behaviour, by a judge that needs no model."""
    for name, behaviour in dataset.behaviours.items():
        judge = _judge(dataset, behaviour.shown_by) if behaviour.kind in _JUDGED_KINDS else None
        if judge is None:
            continue
        placed = [
            (where, line)
            for where, line in dataset.lines()
            if isinstance(line, ConversationLine)
            and line.behaviour in (None, name)
            and not (line.shows or line.general)
            and line.prompt is not None
        ][:MAX_JUDGED]
        verdicts = judge([Case(line.prompt or "", line.reply) for _, line in placed])
        for (where, line), verdict in zip(placed, verdicts, strict=True):
            if verdict.score == 1:
                yield f"{where}: the reply {line.reply[:60]!r} shows {name} by {judge.identity}, and `shows` is false."


def unused(dataset: Dataset) -> Iterator[str]:
    """Yield the behaviours that no installed task takes, or of which a measure has no judge of its own."""
    tasks: list[Task] = [plugin("tasks", name)() for name in plugin_names("tasks")]
    taken = {variant.name for task in tasks for variant in task.variants(dataset).values()}
    for name, behaviour in dataset.behaviours.items():
        if name not in taken:
            yield f"{name}: no task takes behaviours of the kind {behaviour.kind!r}."
        for measure in () if behaviour.kind == "steering" else (behaviour.shown_by, behaviour.answered_by):
            if dataset.judges.get(measure, USUAL_JUDGES.get(measure)) is None:
                known = sorted({*dataset.judges, *USUAL_JUDGES})
                yield (
                    f"{name}: nobody judges {measure!r}; a suite has to name a judge, or `judges` here."
                    f"{nearest(measure, known)}"
                )


def unreadable_judges(dataset: Dataset) -> Iterator[str]:
    """Yield the judges of a dataset that cannot be read, or whose rubric cannot."""
    for measure, named in dataset.judges.items():
        try:
            spec = read_spec(named, f"The judge of {measure!r}")
            for one in (spec, *spec.panel):
                kind, _, argument = (one.judge or "").partition(":")
                if kind in ("llm", "local"):
                    read_rubric(argument)
        except UserError as error:
            yield f"judges, {measure}: {error}"


def _judge(dataset: Dataset, measure: str) -> Judge | None:
    """Return the judge of a measure; None where it needs a model, or nobody named one."""
    named = dataset.judges.get(measure, USUAL_JUDGES.get(measure))
    if named is None:
        return None
    spec = read_spec(named, f"The judge of {measure!r} in the dataset {dataset.name}")
    if spec.judge is None or spec.model is not None:
        return None
    try:
        judge = judge_of(spec)
    except UserError as error:
        raise UserError(f"The judge of {measure!r} in the dataset {dataset.name}: {error}") from error
    return judge if judge.binary else None
