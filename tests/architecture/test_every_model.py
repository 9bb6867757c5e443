"""The admin is where staff find every record."""

from django.apps import apps
from django.contrib import admin

# Models without a page of their own in the admin, and where their rows are shown. A name that is not needed any more fails the test.
SHOWN_ELSEWHERE = {
    "accounts.MembershipLocation": "chosen with the membership",
    "loyalty.LotRemainder": "shown with its lot",
}
OURS = {"accounts", "crm", "segmentation", "messaging", "campaigns", "loyalty", "analytics"}


def test_every_model_has_its_place_in_the_admin() -> None:
    admin.autodiscover()
    without = {model._meta.label for model in apps.get_models() if model._meta.app_label in OURS and not admin.site.is_registered(model)}
    assert without == set(SHOWN_ELSEWHERE)
