"""What the rows of a batch have generated so far, on their device: nothing of it is read back while they grow."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

_NO_TOKEN = -1  # where a row has generated nothing


class Replies:
    """The tokens of all rows of a batch; `alive` are the numbers of those that it still has, and `ended` the finished.

    A row ends with a token in `stop`, which is its last one.
    """

    def __init__(self, n_rows: int, max_new_tokens: int, stop: Collection[int], device: torch.device) -> None:
        self._stop = torch.tensor(sorted(stop), dtype=torch.long, device=device)
        self._tokens = torch.full((n_rows, max_new_tokens), _NO_TOKEN, device=device)
        self._finite = torch.ones(n_rows, max_new_tokens, dtype=torch.bool, device=device)  # the logits of each token
        self._step = torch.zeros(1, dtype=torch.long, device=device)
        self.alive = torch.arange(n_rows, device=device)
        self.ended = torch.zeros(n_rows, dtype=torch.bool, device=device)
        self.newest = torch.zeros(n_rows, dtype=torch.long, device=device)

    def add(self, logits: Tensor) -> None:
        """Add to each row the likeliest token of its logits [rows, vocabulary]."""
        self.newest.copy_(logits.argmax(-1))
        place = self.alive, self._step
        self._tokens.index_put_(place, self.newest.masked_fill(self.ended, _NO_TOKEN))
        # A sum is finite where all of its terms are, and far quicker than a look at each.
        self._finite.index_put_(place, logits.sum(-1, dtype=torch.float32).isfinite())
        self.ended |= (self.newest[:, None] == self._stop).any(-1)
        self._step += 1

    def n_ended(self) -> int:
        """Return the number of finished rows among those of the batch; the device is waited for."""
        return int(self.ended.sum())

    def end_at(self, until: Sequence[str], tokenizer: PreTrainedTokenizerFast, steps: range) -> None:
        """End each row at the first of some steps after which its text has a string of `until` at its end."""
        longest = max(len(stop.encode()) for stop in until)  # bytes, and so the most tokens that hold the string
        start = max(0, steps.start - longest - 1)
        rows = self._tokens[self.alive, start : steps.stop].tolist()
        last = torch.full((len(rows),), self._tokens.shape[1])
        for step in reversed(steps):
            tails = [row[max(0, step - longest - 1) - start : step + 1 - start] for row in rows]
            texts = tokenizer.batch_decode([_generated(tail) for tail in tails])
            last[torch.tensor([any(stop in text for stop in until) for text in texts])] = step
        last = last.to(self.ended.device)[:, None]
        columns = torch.arange(self._tokens.shape[1], device=last.device)
        self._tokens[self.alive] = self._tokens[self.alive].masked_fill(columns > last, _NO_TOKEN)
        self.ended |= last[:, 0] < len(columns)

    def keep(self, index: Tensor) -> None:
        """Drop all rows of the batch but those at `index` [rows that stay]; what they have generated remains."""
        self.alive, self.ended, self.newest = self.alive[index], self.ended[index], self.newest[index]

    def tokens(self, rows: Sequence[int]) -> list[list[int]]:
        """Return the tokens that some rows have generated so far."""
        return [_generated(row) for row in self._tokens[rows].tolist()]

    def finite(self) -> list[bool]:
        """Return for every row whether all logits were finite that its tokens were chosen by."""
        return (self._finite | (self._tokens == _NO_TOKEN)).all(-1).tolist()


def _generated(row: Sequence[int]) -> list[int]:
    return [token for token in row if token != _NO_TOKEN]
