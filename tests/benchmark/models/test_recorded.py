"""Recorded work; that of a GPU is pretended, for graphs are recorded on one alone."""

import logging

import pytest
import torch

from graftbench.benchmark.models import recorded as module
from graftbench.benchmark.models.recorded import Recorded


@pytest.fixture
def steps(monkeypatch):
    """What a pretended GPU does, in order: it runs work in the warm-up, and does not where it records it."""
    done = []

    def record(_, name):
        done.append(f"record {name}")
        return lambda: done.append("replay")

    monkeypatch.setattr(module, "_can_record", lambda device: device.type == "meta")
    monkeypatch.setattr(module, "_warm_up", lambda work: done.append("warm up") or work())
    monkeypatch.setattr(module, "_record", record)
    return done


def test_work_is_recorded_once_after_its_warm_up_and_replayed_from_then_on(steps):
    recorded = Recorded(torch.device("meta"), "a step")
    for _ in range(6):
        recorded(lambda: steps.append("work"))
    assert steps == ["warm up", "work"] * 3 + ["record a step"] + ["replay"] * 3


def test_on_a_cpu_work_is_called_each_time(steps):
    recorded = Recorded(torch.device("cpu"), "a step")
    for _ in range(5):
        recorded(lambda: steps.append("work"))
    assert steps == ["work"] * 5


def test_what_cannot_be_recorded_is_run_anew_each_time_and_the_log_says_so(monkeypatch, caplog):
    class Broken:
        def __init__(self, *_):
            pass

        def __enter__(self):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", Broken)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    done = []
    with caplog.at_level(logging.WARNING):
        work = module._record(lambda: done.append("work"), "a step of decoding")
    work()
    work()
    assert done == ["work", "work"]
    assert "a step of decoding cannot be recorded (operation not permitted when stream is capturing)" in caplog.text
