"""What a run has met is known exactly, however much it is."""

from __future__ import annotations

import pytest

from ctxsearch import seen


@pytest.mark.parametrize("recent", [1, 7, 8192])
def test_it_is_a_dictionary_of_keys_and_contents(monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    monkeypatch.setattr(seen, "RECENT", recent)
    met = seen.Seen()
    for i in range(2000):
        assert f"key {i}" not in met
        assert not met.differs(f"key {i}", "anything")
        met.add(f"key {i}", f"content {i}")
        assert f"key {i}" in met
    for i in range(2000):
        assert f"key {i}" in met
        assert not met.differs(f"key {i}", f"content {i}")
        assert met.differs(f"key {i}", f"content {i + 1}")
    assert "key 2000" not in met
    assert "\ud800" not in met
