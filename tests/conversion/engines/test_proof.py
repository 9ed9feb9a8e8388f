"""A proven file is remembered by its content and the runtime; nothing else is."""

import pytest

from conversion.engines import proof as proofs
from conversion.engines.cpu import CpuEngine
from conversion.engines.proof import prove
from keras_models.system.errors import ModelError


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """How often a file was proven in a process of its own, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = []
    real = proofs.isolated

    def isolated(*arguments, **options):
        calls.append(arguments[1])
        return real(*arguments, **options)

    monkeypatch.setattr(proofs, "isolated", isolated)
    return calls


def test_the_same_content_is_proven_once(asked, tiny_model, tmp_path):
    first = prove(tiny_model("random"))
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(tiny_model("random").read_bytes())
    assert prove(copy) == first and CpuEngine(copy, 1).resizable and len(asked) == 1


def test_another_runtime_or_content_is_proven_anew(asked, tiny_model, monkeypatch):
    prove(tiny_model("random"))
    prove(tiny_model("nearest"))
    monkeypatch.setattr(proofs, "version", lambda name: "99.0")
    prove(tiny_model("random"))
    assert len(asked) == 3


def test_a_spoilt_memory_is_none(asked, tiny_model, tmp_path):
    prove(tiny_model("random"))
    (kept,) = (tmp_path / "cache").rglob("*.json")
    for content in ("", "[]", '{"resizable": true}', "\x00"):
        kept.write_text(content)
        assert prove(tiny_model("random")).resizable
    assert len(asked) == 5


def test_a_damaged_file_is_refused_every_time(asked, tiny_model, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(tiny_model("random").read_bytes()[:-400])
    for _ in range(2):
        with pytest.raises(ModelError, match="damaged|cannot run"):
            prove(path)
    assert len(asked) == 2 and not list((tmp_path / "cache").rglob("*.json"))


def test_without_a_cache_it_is_proven_every_time(asked, tiny_model, tmp_path):
    (tmp_path / "cache").write_text("a file where the cache should be")
    assert prove(tiny_model("random")) == prove(tiny_model("random")) and len(asked) == 2
