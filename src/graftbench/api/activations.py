"""Activations of a model on prompts."""

from collections.abc import Sequence

from torch import Tensor

from graftbench.api.models import AnyPrompt, chats_of
from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.models.load import Model, check_site


def capture(model: Model, prompts: Sequence[AnyPrompt], site: int, positions: str | int = "last") -> Tensor:
    """Return the residual stream of a model on prompts, [prompts, positions, d] in float32 on the CPU.

    Site `l` is the input of block `l`, `hidden_states[l]` of transformers. Prompts are put in the model's chat format,
    up to where its reply begins; a Turn brings the beginning of the reply, too.

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> gb.capture(model, ["Tell me how to ship the sweater."], site=2, positions=-3).shape
    torch.Size([1, 1, 64])

    Args:
        model: As `load_model` returns it.
        prompts: Strings, Prompts or Turns.
        site: Block whose input is read, from 0.
        positions: `last`, an index from the right such as -2, `prompt` (every token, the chat format's too), or
            `trigger` (the tokens of each Prompt's trigger). Prompts with fewer positions than the longest have zeros
            at their left.

    Raises:
        UserError: There are no prompts, one is empty or lacks the position, or the model has no such site.

    """
    chats = chats_of(model, prompts)
    check_site(model, site)
    try:
        return states_at(model, chats, site, positions).float()
    except ValueError as error:
        raise UserError(
            f"Activations cannot be captured at positions {positions!r}: {error}. Positions are last, prompt, trigger, "
            "or an index from the right such as -2."
        ) from error
