"""One thing of every kind in Saffron, by the address of its resource."""

from datetime import UTC, datetime, timedelta

from accounts.audit import Actor
from accounts.tenancy import tenant
from campaigns.actions import create_campaign
from crm.actions import NewLine, book_visit, record_purchase, set_consent
from crm.models import Channel, ConsentState, Customer, ImportFinding, ImportJob, Purpose
from loyalty.actions.catalogue import create_reward
from loyalty.actions.holds import hold_points
from loyalty.actions.members import enrol_member
from loyalty.actions.points import earn_points
from loyalty.actions.rewards import redeem_reward
from loyalty.actions.stamps import create_stamp_card, give_stamps
from loyalty.models import Stamp
from messaging.actions.templates import create_template, save_version
from messaging.content.frame import MessageSource
from messaging.models import SenderAccount, SenderKind
from segmentation.actions import create_segment
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.program_stage import open_program

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
        purchase = record_purchase(lines=[NewLine(1_000)], purchased_at=NOON, now=NOON, actor=alice, customer=customer)
        visit = book_visit(customer=customer, starts_at=NOON, actor=alice, now=NOON)
        job = _import_with_a_rejected_row()
        segment = create_segment(name="Spenders", rules=SPENDERS, actor=alice, now=NOON)
        template = create_template(name="Spring", actor=alice)
        version = save_version(template=template, source=SPRING, actor=alice)
        sender = SenderAccount.objects.create(name="Front door", from_email="hello@saffron.example", kind=SenderKind.ANYMAIL_TEST)
        campaign = create_campaign(actor=alice, name="Spring", template=template, account=sender)
        loyalty = _loyalty(customer, alice)
    return loyalty | {
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


def _import_with_a_rejected_row() -> ImportJob:
    job = ImportJob.objects.create(kind="customers", file_name="people.csv")
    ImportFinding.objects.create(job=job, row=2, is_rejected=True, code="email_invalid", message="This is no address.")
    return job


def _loyalty(customer: Customer, actor: Actor) -> dict[str, int]:
    program = open_program("world")
    member = enrol_member(program=program, customer=customer, now=NOON, actor=actor)
    earn_points(member_id=member.pk, amount=1_000, key="world", now=NOON, actor=actor)
    reward = create_reward(program=program, actor=actor, name="Wax", points=100)
    voucher = redeem_reward(member_id=member.pk, reward_id=reward.pk, key="world:reward", now=NOON, actor=actor).voucher
    _receipt, hold_id = hold_points(member_id=member.pk, amount=50, lapses_at=NOON + timedelta(days=900), key="hold", now=NOON, actor=actor)
    card = create_stamp_card(program=program, actor=actor, name="Wax card", reward=reward)
    give_stamps(member=member, card=card, key="world", now=NOON, actor=actor)
    return {
        "programs": program.pk,
        "program_id": program.pk,
        "members": member.pk,
        "member_id": member.pk,
        "rewards": reward.pk,
        "vouchers": voucher.pk,
        "holds": hold_id,
        "stamp-cards": card.pk,
        "stamp_id": Stamp.objects.get().pk,
    }
