import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from graftbench.benchmark.models.shipped import WEIGHTS
from graftbench.benchmark.results.consistency import problems
from graftbench.benchmark.results.entry_files import read_entry

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL))
FEW = {
    "vector": 24,
    "validation": 12,
    "test": 24,
    "fit": 100,
    "strengths": [1.0],
    "draws": {"test": 3, "validation": 2, "contrast": 2},
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    subprocess.run([*command, str(folder / "graftbench-mine")], check=True, capture_output=True)
    zipfile.ZipFile(next((folder / "dist").glob("*.whl"))).extractall(folder / "installed")
    return folder


def graftbench(work, *arguments):
    path = [str(work / "installed"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(path), "GRAFTBENCH_CACHE": str(work / "cache")}
    command = [sys.executable, "-m", "graftbench", *arguments]
    done = subprocess.run(command, cwd=work, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_holds_every_file_of_the_package():
    package = {
        f"graftbench-mine/graftbench_mine/{name}.py" for name in ("__init__", "mapper", "judge", "dataset", "task")
    }
    assert FILES.keys() == package | {"graftbench-mine/pyproject.toml", "mine.yaml"}


@pytest.mark.slow
def test_its_mapper_keeps_to_the_protocol(work):
    assert "It keeps to the protocol." in graftbench(work, "check", "with_offset")


@pytest.mark.slow
def test_its_judge_is_found_by_name_and_says_what_the_labels_say(work):
    told = graftbench(work, "judge", "calibrate", "right_sum", "--measure", "good", "--out", "worth.json")
    assert "right_sum/1 on good of pocket" in told
    assert re.search(r"kappa\W+1 \(1 to 1\)", told)


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="no trained zoo here: `graftbench zoo train` makes it")
def test_its_suite_with_few_prompts_scores_the_mapper_on_the_task_by_the_judge(work):
    suite = yaml.safe_load(FILES["mine.yaml"])
    task = suite["tasks"]["insulted_sums"]
    task["settings"] |= FEW
    task["cells"] = [cell | {"tracks": ["task"]} for cell in task["cells"]]
    (work / "few.yaml").write_text(yaml.safe_dump(suite))
    graftbench(work, "score", "with_offset", "--suite", "few.yaml", "--out", "run", "--workers", "1")

    entry = read_entry(work / "run" / "entry.json")
    assert (entry.mapper.name, entry.mapper.source) == ("with_offset", "with_offset")
    assert entry.judges["insulted_sums"]["sum"] == "right_sum/1"
    assert entry.judges["insulted_sums"]["insult"].startswith("phrase/")
    assert problems(entry) == []
    assert "fewer than 128 test or 64 validation prompts" in entry.headline.reason
    assert [(cell.task, cell.task_version, cell.variant) for cell in entry.cells] == [
        ("insulted_sums", 1, "sums"),
    ]
    for cell in entry.cells:
        assert (cell.status, cell.steerable) == ("ok", True)
        assert cell.rates["unsteered"].value == 0
        assert cell.rates["native"].value > cell.rates["random"].value
        assert cell.transfer.value > 0
        assert cell.training.record["rows"] == cell.cost.pairs
