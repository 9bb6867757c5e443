"""What is made says where it can be asked for."""

from typing import Any

import pytest

from tests.api.conftest import Caller

CUT = {"description": "Haircut", "unit_price_minor": 3_500}


@pytest.mark.parametrize(
    ("path", "body", "made", "address"),
    [
        ("purchases/{purchases}/refund/", {"amount_minor": 100}, ("id",), "purchases/{id}/"),
        ("till/sales/", {"lines": [CUT]}, ("purchase", "id"), "purchases/{id}/"),
        ("till/refunds/", {"purchase": "{purchases}", "amount_minor": 100}, ("refund", "id"), "purchases/{id}/"),
        ("holds/", {"member": "{members}", "points": 100}, ("hold", "id"), "holds/{id}/"),
        ("campaigns/{campaigns}/duplicate/", {"name": "Again"}, ("id",), "campaigns/{id}/"),
        ("segments/{segments}/snapshot/", {"name": "As of today"}, ("id",), "segments/{id}/"),
        ("segments", {"name": "By hand", "kind": "static"}, ("id",), "segments/{id}/"),
    ],
)
def test_what_is_made_has_the_address_it_is_answered_with(
    till: Caller, world: dict[str, int], path: str, body: dict[str, Any], made: tuple[str, ...], address: str
) -> None:
    known = {name: int(value.format(**world)) if isinstance(value, str) and value[0] == "{" else value for name, value in body.items()}
    answers = [till.post(path.format(**world), known, idempotency_key="1") for _ in range(2)]
    found: Any = answers[0].json()
    for name in made:
        found = found[name]
    assert [answer["Location"] for answer in answers] == [f"/api/v1/{address.format(id=found)}"] * 2
    assert till.get(address.format(id=found)).json()["id"] == found
