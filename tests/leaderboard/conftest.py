import pytest


@pytest.fixture(autouse=True, scope="module")
def planted_mappers_keep_to_the_protocol(request):
    """Entries in these tests are planted, and of mappers that nobody could fit."""
    with pytest.MonkeyPatch.context() as patch:
        if "protocol_check" not in request.module.__name__:
            patch.setattr("graftbench.leaderboard.submit.protocol_problems", lambda *_: [])
        yield
