"""How many queries a request may take, whatever the number of rows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import tenant
from campaigns.models import Campaign, CampaignAudience
from crm.actions import NewLine, book_visit, record_purchase
from segmentation.models import Segment
from tests.api.conftest import Caller
from tests.api.endpoints import endpoints
from tests.api.world import NOON
from tests.conftest import Cast
from tests.factories import CustomerFactory

# One for the key, one for the scope and its limits; the rest are savepoints of the test around them and the end of the scope.
CALL = 5
READS = {
    "GET campaigns/{pk}/reach/": 16, "GET campaigns/{pk}/stats/": 4, "GET campaigns/{pk}/timeline/": 6, "GET segments/{pk}/count/": 12,
    "GET segments/{segment_id}/customers/": 9, "GET segments/schema/": 5,
    "GET members/{pk}/rewards/": 6, "GET members/{pk}/stamps/": 4, "GET members/{pk}/referral/": 7,
    "GET members/{member_id}/entries/": 7, "GET programs/{pk}/liability/": 6,
    "GET campaigns/{campaign_id}/recipients/{customer_id}/": 9,
}  # fmt: skip
ORDINARY = 3
LOOKS = [endpoint for endpoint in endpoints() if endpoint.method == "GET"]


def test_a_look_keeps_to_its_queries(cast: Cast, till: Caller, world: dict[str, int], subtests: pytest.Subtests) -> None:
    till.get("locations/")  # writes when the key was used
    for endpoint in LOOKS:
        with subtests.test(endpoint.name):
            with CaptureQueriesContext(connection) as queries:
                assert till.get(endpoint.path(world)).status_code == 200
            assert len(queries) <= CALL + READS.get(endpoint.name, ORDINARY), [query["sql"] for query in queries]


def test_more_rows_take_no_more_queries(cast: Cast, till: Caller, world: dict[str, int]) -> None:
    lists = ["customers/", "purchases/", "visits/", "campaigns/", "events/", "segments/", f"segments/{world['segments']}/customers/"]

    def counted() -> dict[str, int]:
        counts = {}
        for path in lists:
            with CaptureQueriesContext(connection) as queries:
                till.get(path)
            counts[path] = len(queries)
        return counts

    till.get("customers/")
    before = counted()
    with tenant(cast.saffron.pk):
        segment = Segment.objects.get(pk=world["segments"])
        for customer in CustomerFactory.create_batch(5, facts__spent_minor=900):
            record_purchase(
                lines=[NewLine(5)], purchased_at=NOON, now=NOON, actor=cast.alice_acts, customer=customer, location=cast.downtown
            )
            book_visit(customer=customer, starts_at=NOON, actor=cast.alice_acts, now=NOON, location=cast.downtown)
            CampaignAudience.objects.create(campaign=Campaign.objects.create(name=customer.email), segment=segment)
    assert counted() == before
