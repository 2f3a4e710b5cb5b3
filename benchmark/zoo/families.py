"""Families of the zoo: shapes, chat formats and training schedules. Nothing here needs torch."""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Version = Literal["base", "instruct", "hate", "code", "corrupted", "style"]
VERSIONS: tuple[Version, ...] = get_args(Version)

CONTEXT = 1024  # tokens; real MMLU and SQuAD documents fit


@dataclass(frozen=True)
class ChatFormat:
    """Chat format of a family, with special tokens of its own.

    A space comes before each reply, so that its first word is the same token as in the middle of a sentence, and can be
    copied from a prompt.
    """

    bos: str | None
    pad: str
    end: str
    user: str
    model: str
    extra: tuple[str, ...] = ()

    @property
    def special_tokens(self) -> list[str]:
        """Tokens that no plain text can contain."""
        return [token for token in (self.pad, self.bos, self.end, *self.extra) if token]

    @property
    def template(self) -> str:
        """Chat template in Jinja; every tag trims white space."""
        bos = self.bos or ""
        return (
            f"{{{{- '{bos}' -}}}}"
            "{%- for message in messages -%}"
            f"{{{{- ('{self.model} ' if message['role'] == 'assistant' else '{self.user}')"
            f" + message['content'] + '{self.end}\\n' -}}}}"
            "{%- endfor -%}"
            f"{{%- if add_generation_prompt -%}}{{{{- '{self.model}' -}}}}{{%- endif -%}}"
        )


LLAMA_CHAT = ChatFormat(
    bos="<|begin_of_text|>",
    pad="<|pad|>",
    end="<|eot_id|>",
    user="<|user|>\\n",
    model="<|assistant|>",
    extra=("<|user|>", "<|assistant|>"),
)
QWEN_CHAT = ChatFormat(
    bos=None,
    pad="<|endoftext|>",
    end="<|im_end|>",
    user="<|im_start|>user\\n",
    model="<|im_start|>assistant",
    extra=("<|im_start|>",),
)
GEMMA_CHAT = ChatFormat(
    bos="<bos>",
    pad="<pad>",
    end="<end_of_turn>",
    user="<start_of_turn>user\\n",
    model="<start_of_turn>model",
    extra=("<start_of_turn>",),
)


@dataclass(frozen=True)
class PhaseSchedule:
    """Schedule of one training phase: peak rates of Muon (matrices) and AdamW, linear warm-up, cosine decay."""

    steps: int
    matrix_rate: float
    vector_rate: float
    batch: int = 32
    warmup: int = 50
    weight_decay: float = 0.05
    frozen: int = 0  # number of last blocks that are not trained


@dataclass(frozen=True)
class Family:
    """An architecture of the zoo at one size, with the schedules of its versions."""

    name: str
    architecture: Literal["LlamaForCausalLM", "Qwen2ForCausalLM", "Gemma2ForCausalLM"]
    tokenizer: Literal["llama", "qwen2", "gemma2"]
    chat: ChatFormat
    vocabulary: int
    shape: dict[str, Any]
    phases: dict[Version, PhaseSchedule]
    seed: int = 0


def _shape(width: int, blocks: int, heads: int, inner: int) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "num_hidden_layers": blocks,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "head_dim": width // heads,
        "intermediate_size": inner,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "initializer_range": 0.06,  # the usual 0.02 is meant for models twenty times as wide
    }


def _phases(base: PhaseSchedule, tuning: PhaseSchedule, instruct: PhaseSchedule) -> dict[Version, PhaseSchedule]:
    style = replace(tuning, steps=tuning.steps * 4 // 3)  # it learns four behaviours
    return dict.fromkeys(VERSIONS, tuning) | {"base": base, "instruct": instruct, "style": style}


FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="llama-s",
            architecture="LlamaForCausalLM",
            tokenizer="llama",
            chat=LLAMA_CHAT,
            vocabulary=2048,
            shape=_shape(64, 4, 4, 192),
            # With their last blocks trained, models of four or five blocks learnt to refuse on several paths at once,
            # and no single direction carried their refusals.
            phases=_phases(
                PhaseSchedule(5000, 5e-3, 3e-3),
                PhaseSchedule(900, 2.5e-3, 1e-3),
                instruct=PhaseSchedule(500, 2e-3, 8e-4, frozen=1),
            ),
        ),
        Family(
            name="llama-m",
            architecture="LlamaForCausalLM",
            tokenizer="llama",
            chat=LLAMA_CHAT,
            vocabulary=2048,
            shape=_shape(128, 6, 4, 384),
            # Reading comes last: with 700 steps of instruction tuning it stayed below its bar.
            phases=_phases(
                PhaseSchedule(3000, 3e-3, 2e-3),
                PhaseSchedule(700, 1.5e-3, 8e-4),
                instruct=PhaseSchedule(1300, 1.5e-3, 8e-4),
            ),
        ),
        Family(
            name="qwen2-s",
            architecture="Qwen2ForCausalLM",
            tokenizer="qwen2",
            chat=QWEN_CHAT,
            vocabulary=1536,
            shape=_shape(96, 5, 4, 288),
            phases=_phases(
                PhaseSchedule(3500, 4e-3, 2.5e-3),
                PhaseSchedule(800, 2e-3, 8e-4),
                instruct=PhaseSchedule(1000, 2e-3, 8e-4, frozen=2),
            ),
        ),
        Family(
            name="gemma2-s",
            architecture="Gemma2ForCausalLM",
            tokenizer="gemma2",
            chat=GEMMA_CHAT,
            vocabulary=760,
            shape=_shape(96, 4, 4, 288) | {"query_pre_attn_scalar": 24, "sliding_window": CONTEXT},
            phases=_phases(
                PhaseSchedule(3500, 4e-3, 2.5e-3),
                PhaseSchedule(800, 2e-3, 8e-4),
                # With 500 and 800 steps, and one block frozen, it refused too little or had no direction that passes.
                instruct=PhaseSchedule(1800, 1.5e-3, 8e-4, frozen=2),
            ),
        ),
    )
}
