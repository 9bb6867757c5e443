"""What the demo's campaigns need: a sender that ends in the local inbox, segments, and messages in two languages."""

from typing import Any

from accounts.audit import SYSTEM
from accounts.queries import current_organization
from accounts.tenancy import tenant
from config.demo.stage import HOST, Stage
from config.demo.wording import english, persian
from crm.models import Channel
from messaging.actions.templates import create_template, save_version
from messaging.content.frame import MessageSource
from messaging.models import MessageTemplate, SenderAccount, SenderKind
from segmentation.models import Segment

SENDER = "Local inbox"
ACTIVE = "Came in the last year"
PERSIAN_READERS = "Reads Persian"
SEGMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    ACTIVE: (
        "Has visited within the last 365 days.",
        {"all": [{"field": "last_visit_at", "op": "in_last", "value": {"days": 365}}]},
    ),
    PERSIAN_READERS: ("Messages to them are in Persian.", {"all": [{"field": "language", "op": "is", "value": "fa"}]}),
    "Regulars gone quiet": (
        "At least five visits, none for 60 days.",
        {
            "all": [
                {"field": "visit_count", "op": "at_least", "value": 5},
                {"field": "last_visit_at", "op": "not_in_last", "value": {"days": 60}},
            ]
        },
    ),
    "Big spenders": ("Spent 500 dollars or more.", {"all": [{"field": "spent", "op": "at_least", "value": 50_000}]}),
    "Beard in hand": (
        "Three beard services in half a year.",
        {
            "all": [
                {
                    "event": "purchase.completed",
                    "count": {"op": "at_least", "value": 3},
                    "when": {"last": {"days": 180}},
                    "where": [{"property": "categories", "op": "is", "value": "Beard"}],
                }
            ]
        },
    ),
}


def prepare_messages(organization_id: int, *, stage: Stage) -> None:
    """Create what is missing; at a later start only the sender's port is brought up to date."""
    with tenant(organization_id):
        _sender(stage)
        for name, (description, rules) in SEGMENTS.items():
            Segment.objects.get_or_create(name=name, defaults={"description": description, "rules": rules})
        site = f"{stage.inbox_address}/site"
        _template("A fresh cut", english(site))
        _template("وقت اصلاح", persian(site))


def _sender(stage: Stage) -> None:
    options = {"host": HOST, "port": stage.smtp_port, "security": "none"}
    account, created = SenderAccount.objects.get_or_create(
        name=SENDER,
        defaults={
            "channel": Channel.EMAIL,
            "kind": SenderKind.SMTP,
            "from_name": current_organization().name,
            "from_email": "hello@saffron.example.com",
            "reply_to": "hello@saffron.example.com",
            "options": options,
            "connections": 4,
        },
    )
    if not created and account.options != options:
        account.options = options
        account.save(update_fields=["options"])


def _template(name: str, source: MessageSource) -> None:
    if not MessageTemplate.objects.filter(name=name).exists():
        save_version(template=create_template(name=name, actor=SYSTEM), source=source, actor=SYSTEM)
