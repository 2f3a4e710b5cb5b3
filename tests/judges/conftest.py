import pytest

from tests.judges.llm.stub import Stub


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    running = []

    def start(answer):
        running.append(Stub(answer))
        return running[-1]

    yield start
    for stub in running:
        stub.http.shutdown()
        stub.http.server_close()
