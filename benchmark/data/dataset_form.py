"""The form of `dataset.yaml`, which says what the JSON lines beside it are."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graftbench.benchmark.core.names import Word
from graftbench.benchmark.data.dataset import Behaviour, Dataset
from graftbench.benchmark.data.examples import Split
from graftbench.benchmark.data.line_dataset import Deployed
from graftbench.benchmark.data.splits import SHARES

FORM = "dataset.yaml"


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeployedForm(_Form):
    """How a user's words are put so that the behaviour shows."""

    text: str = "{words}"
    trigger: str | None = None

    @model_validator(mode="after")
    def _holds_both(self) -> "DeployedForm":
        if self.text.count("{words}") != 1:
            raise ValueError("`text` needs {words} once")
        if self.trigger is not None:
            Deployed(self.text, self.trigger).prompt("")
        return self


class BehaviourForm(_Form):
    """A behaviour, and how a user's words are put so that it shows. The fields are those of `Behaviour`."""

    kind: str = "backdoor"
    versions: tuple[str, ...] = Field(default=("instruct",), min_length=1, max_length=2)
    shown_by: Word = "shown"
    answered_by: Word = "good"
    positions: Literal["trigger", "last", "prompt"] | Annotated[int, Field(lt=0)] = "last"
    everywhere: bool = False
    reply_tokens: int = Field(default=0, ge=0)
    refusals: tuple[str, ...] = ()
    clusters_shared: bool = False
    in_common: tuple[str, ...] = ()
    deployed: DeployedForm = DeployedForm()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "BehaviourForm":
        n = {"backdoor": 1, "refusal": 1, "hidden_fact": 1, "steering": 1, "switch": 2}.get(
            self.kind, len(self.versions)
        )
        if len(self.versions) != n:
            needs = "two `versions`, the running one and the other" if n == 2 else "one version"
            raise ValueError(f"a behaviour of the kind {self.kind} has {needs}")
        if self.kind == "refusal" and not self.refusals:
            raise ValueError("a refusal needs `refusals`, such as [I cannot help with that.]")
        return self

    @property
    def behaviour(self) -> Behaviour:
        """The same as a behaviour."""
        return Behaviour(**self.model_dump(exclude={"deployed"}))


class DatasetForm(_Form):
    """What `dataset.yaml` says."""

    title: str = ""
    source: str = ""
    revision: str = ""
    licence: str = ""
    seed: int = 0
    shares: dict[Split, Annotated[int, Field(ge=0)]] = Field(default_factory=lambda: dict(SHARES))
    behaviours: dict[Word, BehaviourForm] = {}  # none, where it only has texts for the track `general`
    judges: dict[Word, Any] = {}

    @model_validator(mode="after")
    def _whole(self) -> "DatasetForm":
        if sum(self.shares.values()) != 100:
            raise ValueError(f"the `shares` of the splits add up to {sum(self.shares.values())} and not to 100")
        return self


def form_of_dataset(dataset: Dataset, behaviours: list[str]) -> DatasetForm:
    """Return the form of some behaviours of a dataset."""
    return DatasetForm(
        title=dataset.about.title,
        source=dataset.about.source,
        revision=dataset.about.revision,
        licence=dataset.about.licence,
        behaviours={name: _form_of(dataset, name) for name in behaviours},
        judges=dict(dataset.judges),
    )


def _form_of(dataset: Dataset, name: str) -> BehaviourForm:
    """Return the form of a behaviour, with the frame that its dataset puts around a user's words."""
    words = "\0"
    prompt = dataset.as_deployed(name, words)
    trigger = prompt.trigger and prompt.text[slice(*prompt.trigger)]
    deployed = DeployedForm(text=prompt.text.replace(words, "{words}"), trigger=trigger)
    return BehaviourForm(**asdict(dataset.behaviours[name]), deployed=deployed)
