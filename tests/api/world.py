"""One thing of every kind in Saffron, by the address of its resource."""

from datetime import UTC, datetime

from accounts.tenancy import tenant
from campaigns.actions import create_campaign
from crm.actions import NewLine, book_visit, record_purchase, set_consent
from crm.models import Channel, ConsentState, ImportFinding, ImportJob, Purpose
from messaging.actions.templates import create_template, save_version
from messaging.content.frame import MessageSource
from messaging.models import SenderAccount, SenderKind
from segmentation.actions import create_segment
from tests.conftest import Cast
from tests.factories import CustomerFactory

SPENDERS = {"all": [{"field": "spent", "op": "at_least", "value": 500}]}
SPRING = MessageSource(
    subject="Spring for {{ customer.first_name | default('you') }}",
    html="<p>Hello</p><p><a href='https://saffron.example/spring'>Look</a></p>{{ footer }}",
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_world(cast: Cast) -> dict[str, int]:
    """Ids by resource and by path parameter."""
    alice = cast.alice_acts
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create(first_name="Dana")
        set_consent(
            customer=customer,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=ConsentState.GRANTED,
            source="page",
            now=NOON,
            actor=alice,
        )
        purchase = record_purchase(lines=[NewLine(1_000)], purchased_at=NOON, actor=alice, customer=customer)
        visit = book_visit(customer=customer, starts_at=NOON, actor=alice, now=NOON)
        job = ImportJob.objects.create(kind="customers", file_name="people.csv")
        ImportFinding.objects.create(job=job, row=2, is_rejected=True, code="email_invalid", message="This is no address.")
        segment = create_segment(name="Spenders", rules=SPENDERS, actor=alice, now=NOON)
        template = create_template(name="Spring", actor=alice)
        version = save_version(template=template, source=SPRING, actor=alice)
        sender = SenderAccount.objects.create(name="Front door", from_email="hello@saffron.example", kind=SenderKind.ANYMAIL_TEST)
        campaign = create_campaign(actor=alice, name="Spring", template=template, account=sender)
    return {
        "locations": cast.downtown.pk,
        "campaigns": campaign.pk,
        "campaign_id": campaign.pk,
        "customers": customer.pk,
        "customer_id": customer.pk,
        "purchases": purchase.pk,
        "visits": visit.pk,
        "imports": job.pk,
        "import_id": job.pk,
        "segments": segment.pk,
        "segment_id": segment.pk,
        "templates": template.pk,
        "template_id": template.pk,
        "number": version.number,
        "senders": sender.pk,
    }
