"""Repeated requests in the admin."""

from tests.api.conftest import Caller
from tests.conftest import Cast, signed_in


def test_an_owner_reads_what_was_answered_and_nobody_else(cast: Cast, till: Caller) -> None:
    till.post("customers/", {"first_name": "Dana"}, idempotency_key="order-7")
    address = "/admin/accounts/idempotencykey/"
    assert b"order-7" in signed_in(cast.alice).get(f"{address}?q=order").content
    assert signed_in(cast.bob).get(address).status_code == 403
    assert b"order-7" not in signed_in(cast.charlie).get(address).content
