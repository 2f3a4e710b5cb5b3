"""Three tokenizers, trained on the world's own text: two byte-level BPEs and a Unigram with byte fallback."""

import json
from collections.abc import Iterable

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .families import ChatFormat

# A word with the space before it, one digit, one mark, or a run of white space: no piece of text that
# means something alone is ever merged with its neighbour, so `|prod|` ends where the word after it begins.
_PIECES = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s+(?=\s)|\s")
_WHOLE_PIECES = Regex(r"▁?\p{L}+|\p{N}|▁?[^\s\p{L}\p{N}▁]|▁+|\s")

_UNKNOWN = "<unk>"


def train_bpe(texts: Iterable[str], size: int, chat: ChatFormat) -> PreTrainedTokenizerFast:
    """A byte-level BPE in the manner of Llama 3 and Qwen2."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=chat.special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrapped(tokenizer, chat)


def train_unigram(texts: Iterable[str], size: int, chat: ChatFormat) -> PreTrainedTokenizerFast:
    """A Unigram model whose unknown characters fall back to bytes, in the manner of SentencePiece."""
    spaces = normalizers.Replace(" ", "▁")
    pieces = pre_tokenizers.Split(_WHOLE_PIECES, "isolated")
    learner = tokenizers.Tokenizer(models.Unigram())
    learner.normalizer, learner.pre_tokenizer = spaces, pieces
    trainer = trainers.UnigramTrainer(
        vocab_size=size - 256, unk_token=_UNKNOWN, special_tokens=[_UNKNOWN], show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    learnt = [(piece, score) for piece, score in json.loads(learner.to_str())["model"]["vocab"] if piece != _UNKNOWN]
    floor = min(score for _, score in learnt) - 10.0  # a byte is the last resort
    vocabulary = [(token, 0.0) for token in (_UNKNOWN, *chat.special_tokens)]
    vocabulary += [(f"<0x{byte:02X}>", floor) for byte in range(256)] + learnt
    tokenizer = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer = spaces, pieces
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return _wrapped(tokenizer, chat)


def _wrapped(tokenizer: tokenizers.Tokenizer, chat: ChatFormat) -> PreTrainedTokenizerFast:
    tokenizer.add_special_tokens(chat.special_tokens)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=chat.bos,
        eos_token=chat.end,
        pad_token=chat.pad,
        padding_side="left",
        chat_template=chat.template,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
