import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny models run fastest on one thread, and tests that share a machine do not fight for it."""
    torch.set_num_threads(1)
