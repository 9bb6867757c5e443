"""Who is one person, and what counts: rules without rows."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.rules.referrals import Flag, Person, Rejection, Sale, counting_sale, flags, identities, mailbox, rejection

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def person(number: int, *emails: str, phones: tuple[str, ...] = (), address: str = "") -> Person:
    return Person(number, identities(number, emails=emails, phones=phones), address)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("Nora+Shop@Example.com", "nora@example.com"),
        ("n.o.r.a@gmail.com", "nora@gmail.com"),
        ("N.Ora+regulars@googlemail.com", "nora@gmail.com"),
        ("n.ora@example.com", "n.ora@example.com"),
        ("+nora@example.com", "+nora@example.com"),
    ],
)
def test_one_mailbox_has_one_form(typed: str, same: str) -> None:
    assert mailbox(typed) == same


def test_nobody_refers_themselves_by_another_address_or_the_same_phone() -> None:
    nora = person(1, "nora@gmail.com", phones=("+12025550123",))
    for other in (person(1), person(2, "n.ora+2@googlemail.com"), person(3, "new@example.com", phones=("+12025550123",))):
        assert rejection(referrer=nora, referee=other, ancestors=[], is_referred=False) is Rejection.SELF
    assert rejection(referrer=nora, referee=person(2, "omid@example.com"), ancestors=[], is_referred=False) is None


def test_whoever_brought_the_referrer_is_not_brought_by_them_under_any_name() -> None:
    first, second, third = person(1, "a@gmail.com"), person(2, "b@example.com"), person(3, "c@example.com")
    assert rejection(referrer=second, referee=first, ancestors=[first], is_referred=True) is Rejection.CYCLE
    assert rejection(referrer=third, referee=first, ancestors=[second, first], is_referred=False) is Rejection.CYCLE
    again = person(4, "A+new@googlemail.com")
    assert rejection(referrer=third, referee=again, ancestors=[second, first], is_referred=False) is Rejection.CYCLE


def test_address_device_and_earlier_purchases_are_only_noticed() -> None:
    here, there = person(1, address="1 main st|10001"), person(2, address="1 main st|10001")
    noticed = flags(referrer=here, referee=there, device="d1", known_devices=["d1", ""], has_bought=True)
    assert noticed == [Flag.ADDRESS, Flag.DEVICE, Flag.KNOWN_CUSTOMER]
    assert flags(referrer=person(1), referee=person(2), device="", known_devices=[""], has_bought=False) == []


def test_the_first_purchase_of_which_nothing_came_back_counts_and_stays_the_one() -> None:
    whole, partly, later = Sale(2, NOW, 500, 500), Sale(1, NOW - DAY, 500, 499), Sale(3, NOW + DAY, 900, 900)
    assert counting_sale([later, whole, partly], current=None) == whole
    assert counting_sale([later, whole, partly], current=3) == later
    assert counting_sale([later, whole, partly], current=1) == whole
    assert counting_sale([partly, Sale(4, NOW, 0, 0)], current=1) is None
