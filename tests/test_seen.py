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
        assert met.meet(f"key {i}", f"content {i}") is None
        assert f"key {i}" in met
    for i in range(2000):
        assert f"key {i}" in met
        assert met.meet(f"key {i}", f"content {i}") is True
        assert met.meet(f"key {i}", f"content {i + 1}") is False
    assert "key 2000" not in met
    assert "\ud800" not in met
