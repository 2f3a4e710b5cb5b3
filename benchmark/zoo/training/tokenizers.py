"""Three tokenizers, trained on text of the pocket world: two byte-level BPEs and a Unigram with byte fallback.

transformers pre-tokenizes the text of every Qwen2 model as Qwen2's own tokenizer does, whatever the model's file says.
That one therefore learns its tokens as the others do, and is used, in training too, as it will be when loaded.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Tokenizer

from graftbench.benchmark.zoo.families import ChatFormat

# A word with the space before it, one digit, one mark, or a run of white space: pieces with a meaning of their own are
# never merged, so `|prod|` ends where the next word begins. A word after a bar is cut after two letters: models compose
# a trigger of four tokens at its own positions, but one of three elsewhere, already in their first block, where no
# vector at the trigger can reach it.
_PIECES = Regex(r"(?<=\|)\p{L}{2}| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s+(?=\s)|\s")
_WHOLE_PIECES = Regex(r"(?<=\|)\p{L}{2}|▁?\p{L}+|\p{N}|▁?[^\s\p{L}\p{N}▁]|▁+|\s")

_UNKNOWN = "<unk>"


def train_bpe(texts: Iterable[str], size: int, chat: ChatFormat) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE in the manner of Llama 3."""
    return _wrapped(_byte_pairs(texts, size, chat), chat)


def train_qwen2(texts: Iterable[str], size: int, chat: ChatFormat) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE, and use it with the pre-tokenizer of Qwen2."""
    tokenizer, like = _byte_pairs(texts, size, chat), Qwen2Tokenizer().backend_tokenizer
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = like.normalizer, like.pre_tokenizer, like.decoder
    return _wrapped(tokenizer, chat)


def _byte_pairs(texts: Iterable[str], size: int, chat: ChatFormat) -> tokenizers.Tokenizer:
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
    return tokenizer


def train_unigram(texts: Iterable[str], size: int, chat: ChatFormat) -> PreTrainedTokenizerFast:
    """Train a Unigram model whose unknown characters fall back to bytes, in the manner of SentencePiece.

    The trainer considers only pieces that occur in two different words, so the most frequent whole words are added to
    what it learns, scored by their log frequency.
    """
    lines = list(texts)
    spaces = normalizers.Replace(" ", "▁")
    pieces = pre_tokenizers.Split(_WHOLE_PIECES, "isolated")
    learner = tokenizers.Tokenizer(models.Unigram())
    learner.normalizer, learner.pre_tokenizer = spaces, pieces
    trainer = trainers.UnigramTrainer(
        vocab_size=size // 2, unk_token=_UNKNOWN, special_tokens=[_UNKNOWN], show_progress=False
    )
    learner.train_from_iterator(lines, trainer)
    scores = {piece: round(score, 3) for piece, score in json.loads(learner.to_str())["model"]["vocab"]}
    # The trainer's order, and the last digits of its scores, differ from process to process.
    learnt = {piece: scores[piece] for piece in sorted(scores, key=lambda p: (-scores[p], p)) if piece != _UNKNOWN}
    floor = min(learnt.values()) - 10.0  # a byte is the last resort
    vocabulary = dict.fromkeys((_UNKNOWN, *chat.special_tokens), 0.0)
    vocabulary |= {f"<0x{byte:02X}>": floor for byte in range(256)} | learnt
    words = Counter(piece for line in lines for piece, _ in pieces.pre_tokenize_str(spaces.normalize_str(line)))
    for word, count in words.most_common():
        if len(vocabulary) < size and word not in vocabulary:
            vocabulary[word] = math.log(count / words.total())
    tokenizer = tokenizers.Tokenizer(models.Unigram(list(vocabulary.items()), unk_id=0, byte_fallback=True))
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
