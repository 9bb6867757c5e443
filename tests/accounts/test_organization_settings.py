"""An organization's settings and locations in the admin."""

from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Location, Organization
from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase
from tests.conftest import Cast

VALUES = {
    "name": "Saffron Barbers",
    "language": "en",
    "time_zone": "America/New_York",
    "currency": "USD",
    "money_unit": "currency",
    "region": "US",
    "postal_address": "1 Main St, New York",
    "brand_color": "#7c3aed",
    "logo": "",
}


def _settings(cast: Cast) -> str:
    return f"/admin/accounts/organization/{cast.saffron.pk}/change/"


def _saffron(cast: Cast) -> Organization:
    with tenant(cast.saffron.pk):
        return Organization.objects.get()


def test_the_currency_is_chosen_until_there_is_money_in_it(as_alice: Client, cast: Cast) -> None:
    assert as_alice.post(_settings(cast), VALUES | {"currency": "EUR"}).status_code == 302
    assert _saffron(cast).currency == "EUR"
    with tenant(cast.saffron.pk):
        record_purchase(lines=[NewLine(1500)], purchased_at=timezone.now(), now=timezone.now(), actor=cast.alice_acts)
    assert "currency" not in as_alice.get(_settings(cast)).context["adminform"].form.fields
    as_alice.post(_settings(cast), VALUES | {"currency": "JPY", "name": "Saffron & Sons"})
    assert (_saffron(cast).currency, _saffron(cast).name) == ("EUR", "Saffron & Sons")


def test_money_of_others_leaves_the_currency_open(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.rival.pk):
        record_purchase(lines=[NewLine(1500)], purchased_at=timezone.now(), now=timezone.now(), actor=cast.charlie_acts)
    assert as_alice.post(_settings(cast), VALUES | {"currency": "EUR"}).status_code == 302
    assert _saffron(cast).currency == "EUR"


def test_a_time_zone_that_is_not_offered_stays_until_another_is_chosen(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        Organization.objects.update(time_zone="Iran")
    field = as_alice.get(_settings(cast)).context["adminform"].form["time_zone"]
    assert [option.data["value"] for option in field if option.data["selected"]] == ["Iran"]
    as_alice.post(_settings(cast), VALUES | {"time_zone": "Iran", "name": "Saffron & Sons"})
    assert (_saffron(cast).time_zone, _saffron(cast).name) == ("Iran", "Saffron & Sons")


def test_settings_are_changed_with_before_and_after_in_the_audit_log(as_alice: Client, cast: Cast) -> None:
    assert as_alice.post(_settings(cast), VALUES | {"name": "Saffron & Sons"}).status_code == 302
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.get(action="organization.changed")
    assert (entry.before, entry.after) == ({"name": "Saffron Barbers"}, {"name": "Saffron & Sons"})


def test_a_time_zone_that_does_not_exist_is_refused(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post("/admin/accounts/location/add/", {"name": "Moon", "slug": "moon", "time_zone": "Mars/Base", "is_active": "on"})
    assert "time_zone" in page.context["adminform"].form.errors
    with tenant(cast.saffron.pk):
        assert not Location.objects.filter(slug="moon").exists()


def test_a_double_slug_is_refused_at_its_field(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post("/admin/accounts/location/add/", {"name": "Downtown 2", "slug": "downtown", "time_zone": "", "is_active": "on"})
    assert page.context["adminform"].form.errors["slug"] == ["Another location has this slug."]
