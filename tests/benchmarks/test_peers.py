import pytest


@pytest.fixture
def peers(script):
    return script("peers")


def test_graftbench_and_a_hook_give_the_same_tokens(peers, capsys, monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    peers.main(["--model", "llama-s-hate", "--device", "cpu", "--batch", "2", "--new", "6", "--times", "1"])
    said = capsys.readouterr()
    assert [line.split("|")[1].strip() for line in said.out.splitlines()[4:]] == ["graftbench", "generate with a hook"]
    assert said.out.count("| yes |") == 2
    assert "nnsight is not installed, and is left out." in said.err


def test_a_package_that_does_not_work_here_is_left_out(peers, capsys, monkeypatch):
    def broken(_):
        raise ImportError("cannot import name 'x'")

    monkeypatch.setattr(peers, "_PEERS", {"generate with a hook": peers.hook, "repeng": broken})
    monkeypatch.setattr(peers, "find_spec", lambda _: True)
    peers.main(["--model", "llama-s-hate", "--device", "cpu", "--batch", "2", "--new", "4", "--times", "1"])
    assert (
        "repeng is left out, for it does not work here: ImportError: cannot import name 'x'" in capsys.readouterr().err
    )
