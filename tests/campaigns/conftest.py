import pytest


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bells that nobody hears."""
    for bell in ("launching.ring_for_plan", "launching.ring", "lifecycle.ring"):
        monkeypatch.setattr(f"campaigns.actions.{bell}", lambda *_ids, **_more: None)
    # Callbacks of a commit that a test only pretends must not make the log believe in months that are rolled back.
    monkeypatch.setattr("crm.events._known_months", set())
