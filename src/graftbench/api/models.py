"""Models and prompts as callers give them."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from torch import Tensor

from graftbench.benchmark.activations.capture import states_at
from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.plugins import nearest
from graftbench.benchmark.data.examples import Prompt, Turn
from graftbench.benchmark.models.chat import Chat, turn_chat
from graftbench.benchmark.models.chat_formats import OWN, read_format
from graftbench.benchmark.models.load import Dtype, Model, check_site, load

AnyPrompt = str | Prompt | Turn  # a user's words, also with the place of a trigger, or with the beginning of a reply


def load_model(
    name: str,
    *,
    revision: str | None = None,
    dtype: Dtype = "float32",
    device: str = "auto",
    blocks: str | None = None,
    writers: Sequence[str] | None = None,
    chat: str = OWN,
) -> Model:
    """Load a language model with its tokenizer.

    `model.module` is the model of transformers, `model.d` the width of its residual stream, `len(model.blocks)` the
    number of its sites: site `l` is the input of block `l`.

    >>> import graftbench as gb
    >>> model = gb.load_model("llama-s-hate")
    >>> model.d, len(model.blocks)
    (64, 4)

    Args:
        name: A model that ships (`graftbench zoo list`), a local folder, or a Hub id (owner/name).
        revision: Branch, tag or commit on the Hub.
        dtype: float32, bfloat16 or float16. Activations and vectors are float32 in any case.
        device: cpu, cuda, cuda:1, ...; `auto` is the GPU where there is one.
        blocks: Path of the list of blocks, such as `model.decoder.layers`, where it is not found.
        writers: Parts of the blocks that write to the residual stream, where they are not found.
        chat: Chat format: `own` (the chat template of its tokenizer), `plain` (the words alone), `alpaca`
            (`### Instruction:` and `### Response:`, as many fine-tunes have it), or a Jinja file with a chat template.

    Raises:
        UserError: There is no such model, dtype, device or chat format, the files cannot be read, or the blocks are not
            known.

    """
    if dtype not in get_args(Dtype):
        raise UserError(f"There is no dtype {dtype!r} for models.{nearest(str(dtype), list(get_args(Dtype)))}")
    try:
        chat = read_format(chat, Path())
    except ValueError as error:
        raise UserError(f"{name} cannot be loaded: {error}.") from error
    return load(name, revision=revision, dtype=dtype, device=device, blocks=blocks, writers=writers, chat=chat)


def chats_of(model: Model, prompts: Sequence[AnyPrompt]) -> list[Chat]:
    """Render prompts in a model's chat format; UserError where there are none, or one is empty or not renderable."""
    if isinstance(prompts, str | Prompt | Turn):
        raise UserError("Prompts are given as a list, also where there is only one.")
    if not prompts:
        raise UserError("There are no prompts: give at least one.")
    return [turn_chat(_turn(i, prompt), model) for i, prompt in enumerate(prompts)]


def check_numbers(**numbers: int) -> None:
    """Raise a UserError where one of the numbers is no integer of at least 1."""
    for name, number in numbers.items():
        if type(number) is not int or number < 1:
            raise UserError(f"{name} is a whole number of at least 1, not {number!r}.")


def _turn(i: int, prompt: AnyPrompt) -> Turn:
    if isinstance(prompt, str):
        prompt = Prompt(prompt)
    turn = Turn(prompt) if isinstance(prompt, Prompt) else prompt
    if not isinstance(turn, Turn):
        raise UserError(f"Prompt {i} is a {type(prompt).__name__}: give a string, a Prompt or a Turn.")
    if not turn.prompt.text.strip():
        raise UserError(f"Prompt {i} is empty.")
    return turn


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
