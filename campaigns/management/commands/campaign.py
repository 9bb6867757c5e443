import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.administration import ADMINISTRATOR, inside
from campaigns import actions
from campaigns.models import Campaign, CampaignState
from campaigns.queries.explaining import explain
from campaigns.queries.figures import account_for, campaign_figures
from campaigns.queries.lists import campaigns
from campaigns.refusals import CampaignRefusedError
from campaigns.validation import validate_campaign
from campaigns.words import state_sentence
from crm.models import Customer
from messaging.models import MessageTemplate, SenderAccount
from segmentation.models import Segment

FURTHEST = timedelta(days=3_653)
STEPS: dict[str, Callable[..., object]] = {
    "launch": actions.launch_campaign,
    "unschedule": actions.unschedule_campaign,
    "pause": actions.pause_campaign,
    "resume": actions.resume_campaign,
    "cancel": actions.cancel_campaign,
    "delete": actions.delete_campaign,
}


class Command(BaseCommand):
    help = "Look at the campaigns of an organization and steer them, as their pages do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="all campaigns with their states")
        listing.add_argument("--state", choices=CampaignState.values, default="")
        named = {name: verbs.add_parser(name, help=f"{name} a campaign") for name in STEPS}
        named["inspect"] = verbs.add_parser("inspect", help="state, figures and an account of every message, as JSON")
        named["validate"] = verbs.add_parser("validate", help="what keeps it from being launched; exit code 1 if anything does")
        named["schedule"] = verbs.add_parser("schedule", help="let it start by itself")
        named["schedule"].add_argument("--at", required=True, help="such as 2026-12-01T09:00+01:00")
        named["test"] = verbs.add_parser("test", help="send a test to an address")
        named["test"].add_argument("--to", action="append", required=True, metavar="ADDRESS", help="may be repeated")
        named["why"] = verbs.add_parser("why", help="why a customer got it, or did not")
        named["why"].add_argument("--customer", type=int, required=True, help="the customer's id")
        create = verbs.add_parser("create", help="begin a draft")
        create.add_argument("name")
        create.add_argument("--template", required=True, help="its name")
        create.add_argument("--sender", required=True, help="its name")
        create.add_argument("--include", type=int, action="append", default=[], metavar="SEGMENT", help="a segment's id; may be repeated")
        create.add_argument("--exclude", type=int, action="append", default=[], metavar="SEGMENT", help="a segment's id; may be repeated")
        for each in named.values():
            each.add_argument("campaign", type=int, metavar="ID", help="its id; “campaign list” shows it")
        for each in (listing, create, *named.values()):
            each.add_argument("--organization", required=True, metavar="SLUG")

    def handle(self, *_args: Any, verb: str, organization: str, **options: Any) -> None:
        with inside(organization):
            if verb == "list":
                self._list(options["state"])
                return
            if verb == "create":
                self._create(options)
                return
            campaign = campaigns().filter(pk=options["campaign"]).first()
            if campaign is None:
                raise CommandError(
                    f"There is no campaign {options['campaign']} in “{organization}”. “campaign list” names those there are."
                )
            try:
                self._do(verb, campaign, options)
            except CampaignRefusedError as error:
                raise CommandError(str(error)) from error
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error

    def _create(self, options: dict[str, Any]) -> None:
        campaign = actions.create_campaign(
            actor=ADMINISTRATOR,
            name=options["name"],
            template=_named(MessageTemplate, options["template"]),
            account=_named(SenderAccount, options["sender"]),
            include=[_segment(number) for number in options["include"]],
            exclude=[_segment(number) for number in options["exclude"]],
        )
        self._told(campaign, campaign)

    def _list(self, state: str) -> None:
        now = timezone.now()
        for campaign in campaigns(state=state).order_by("pk"):
            told = state_sentence(campaign, campaign_figures(campaign, now=now))
            self.stdout.write(f"{campaign.pk}\t{campaign.state}\t{campaign.name}\t{told}")

    def _do(self, verb: str, campaign: Campaign, options: dict[str, Any]) -> None:
        now = timezone.now()
        match verb:
            case "inspect":
                self._inspect(campaign)
            case "validate":
                self._validate(campaign)
            case "why":
                self._why(campaign, options["customer"])
            case "test":
                trial = actions.send_test(campaign=campaign, addresses=options["to"], actor=ADMINISTRATOR, now=now)
                self.stdout.write(f"{len(trial.sent)} sent, marked [Test]; it counts nowhere.")
                for address, reason in trial.refused.items():
                    self.stderr.write(f"Not to {address}: {reason}")
            case "schedule":
                at = _moment(options["at"], now)
                self._told(actions.schedule_campaign(campaign=campaign, at=at, actor=ADMINISTRATOR, now=now), campaign)
            case _:
                self._told(STEPS[verb](campaign=campaign, actor=ADMINISTRATOR, now=now), campaign)

    def _told(self, moved: object, campaign: Campaign) -> None:
        state = moved.state if isinstance(moved, Campaign) else "deleted"
        self.stdout.write(f"{campaign.pk}\t{state}\t{campaign.name}")

    def _inspect(self, campaign: Campaign) -> None:
        figures, accounting = campaign_figures(campaign, now=timezone.now()), account_for(campaign)
        found = {
            "id": campaign.pk,
            "name": campaign.name,
            "state": campaign.state,
            "reason": campaign.state_reason,
            "figures": figures.as_dict(),
            "messages_by_state": accounting.by_state,
            "every_message_has_a_fate": accounting.is_complete,
        }
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))

    def _validate(self, campaign: Campaign) -> None:
        problems = validate_campaign(campaign, now=timezone.now())
        for problem in problems:
            self.stdout.write(f"{problem.severity.value}\t{problem.place}\t{problem.message}")
        if any(problem.severity.value == "error" for problem in problems):
            raise CommandError("It is not ready.")

    def _why(self, campaign: Campaign, customer_id: int) -> None:
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is None:
            raise CommandError(f"There is no customer {customer_id}.")
        answer = explain(campaign, customer, now=timezone.now())
        self.stdout.write(f"{answer.verdict}\t{' '.join(answer.sentences)}")


def _moment(text: str, now: datetime) -> datetime:
    try:
        at = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"There is no such time as “{text}”: {error}. Nothing was changed.") from error
    if at is None or at.tzinfo is None:
        raise CommandError("Give --at with its time zone, such as 2026-12-01T09:00+01:00. Nothing was changed.")
    if at > now + FURTHEST:
        raise CommandError(f"“{text}” is more than ten years away. Nothing was changed.")
    return at


def _named(model: type[MessageTemplate | SenderAccount], name: str) -> Any:
    found = model._default_manager.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no {model._meta.verbose_name} “{name}” here. Nothing was changed.")
    return found


def _segment(number: int) -> Segment:
    segment = Segment.objects.filter(pk=number).first()
    if segment is None:
        raise CommandError(f"There is no segment {number} here. “manage.py segment list” names those there are. Nothing was changed.")
    return segment
