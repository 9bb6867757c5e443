"""The main job from the command line, as the user's guide shows it: segment, sender, template, draft."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from campaigns.models import Campaign, CampaignAudience
from messaging.models import MessageTemplate, SenderAccount
from segmentation.models import Segment
from tests.conftest import Cast
from tests.factories import CustomerFactory

HTML = '<p>Dear {{ customer.first_name | default("friend") }}</p>{{ footer }}'
SPENT = {"all": [{"field": "spent", "op": "more_than", "value": 50_000}]}


def run(*words: str) -> str:
    said = io.StringIO()
    call_command(*words, "--organization", "saffron", stdout=said)
    return said.getvalue()


@pytest.fixture
def shoppers(cast: Cast) -> Cast:
    with tenant(cast.saffron.pk):
        CustomerFactory.create(facts__spent_minor=60_000)
        CustomerFactory.create(facts__spent_minor=50_000)
    return cast


def test_a_segment_is_created_counted_listed_and_frozen(shoppers: Cast) -> None:
    with tenant(shoppers.saffron.pk):
        assert "1 customers" in run("segment", "create", "Big", "--rules", json.dumps(SPENT))
        segment = Segment.objects.get()
        assert (segment.name, segment.rules, segment.member_count) == ("Big", SPENT, 1)
        assert run("segment", "list") == f"{segment.pk}\tdynamic\tBig\t1 customers\n"
        assert "no purchase" in run("segment", "preview", str(segment.pk))
        assert "1 customers" in run("segment", "snapshot", str(segment.pk), "--name", "Big today")


def test_rules_may_come_from_a_file(shoppers: Cast, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(SPENT))
    assert "1 customers" in run("segment", "create", "Big", "--rules", f"@{tmp_path / 'rules.json'}")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("{", "The rules are no JSON"),
        ("[" * 100_000, "The rules are no JSON"),
        ("@/nowhere/rules.json", "There is no file /nowhere/rules.json. Nothing was changed."),
        ('{"all": [{"field": "spending", "op": "more_than", "value": 1}]}', "rules: all[0]"),
    ],
)
def test_rules_that_cannot_be_read_change_nothing(rules: str, said: str, shoppers: Cast) -> None:
    with pytest.raises(CommandError) as refused:
        run("segment", "create", "Big", "--rules", rules)
    assert said in str(refused.value)
    with tenant(shoppers.saffron.pk):
        assert not Segment.objects.exists()


def test_a_sender_is_created_with_its_password_out_of_the_environment(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDER_PASSWORD", "hush")
    said = run(
        "sender", "create", "Mail", "--smtp", "127.0.0.1:2525", "--from", "shop@saffron.example", "--user", "shop", "--per-second", "50"
    )
    with tenant(cast.saffron.pk):
        account = SenderAccount.objects.get()
        audit = AuditEntry.objects.get(action="sender_account.created")
        assert run("sender", "list") == f"{account.pk}\tsmtp\tMail\tshop@saffron.example\tworks\n"
    assert said == f"{account.pk}\tMail\tshop@saffron.example\n"
    assert account.options == {"host": "127.0.0.1", "port": 2525, "security": "starttls"}
    assert account.credentials == {"username": "shop", "password": "hush"}
    assert account.rate_per_second == 50
    assert "hush" not in json.dumps(audit.after)


def test_a_template_is_saved_and_what_is_to_be_mended_is_told(cast: Cast, tmp_path: Path) -> None:
    html = tmp_path / "message.html"
    html.write_text("<p>Dear {{ customer.fist_name }}</p>")
    said = run("template", "save", "News", "--subject", "News", "--html", str(html))
    assert "There is no variable “customer.fist_name”; do you mean “customer.first_name”?" in said
    assert "There is no unsubscribe link" in said
    html.write_text(HTML)
    said = run("template", "save", "News", "--subject", "News", "--html", str(html))
    with tenant(cast.saffron.pk):
        template = MessageTemplate.objects.get()
    assert said == f"{template.pk}\tNews\tversion 2\n"


def test_a_template_that_does_not_compile_is_not_saved(cast: Cast, tmp_path: Path) -> None:
    html = tmp_path / "message.html"
    html.write_text("{% if %}")
    with pytest.raises(CommandError, match=r"^Nothing was saved: "):
        run("template", "save", "News", "--subject", "News", "--html", str(html))
    with tenant(cast.saffron.pk):
        assert not MessageTemplate.objects.exists()


def test_a_draft_is_made_of_what_the_other_commands_made(shoppers: Cast, tmp_path: Path) -> None:
    (tmp_path / "message.html").write_text(HTML)
    run("segment", "create", "Big", "--rules", json.dumps(SPENT))
    run("sender", "create", "Mail", "--smtp", "127.0.0.1:2525", "--security", "none", "--from", "shop@saffron.example")
    run("template", "save", "News", "--subject", "News", "--html", str(tmp_path / "message.html"))
    with tenant(shoppers.saffron.pk):
        segment = Segment.objects.get()
        said = run("campaign", "create", "Spring", "--template", "News", "--sender", "Mail", "--include", str(segment.pk))
        campaign = Campaign.objects.select_related("template", "account").get()
        assert said == f"{campaign.pk}\tdraft\tSpring\n"
        assert (campaign.template and campaign.template.name, campaign.account and campaign.account.name) == ("News", "Mail")
        assert list(CampaignAudience.objects.values_list("segment", "mode")) == [(segment.pk, "include")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("segment", "preview", "99"), "There is no segment 99 here. “segment list” names those there are."),
        (("campaign", "create", "X", "--template", "None", "--sender", "None"), "There is no template “None” here. Nothing was changed."),
        (
            ("sender", "create", "X", "--smtp", "mail", "--from", "a@b.example"),
            "Write --smtp as host:port, not 'mail'. Nothing was changed.",
        ),
        (("template", "save", "X", "--subject", "X", "--html", "/nowhere"), "There is no file /nowhere. Nothing was changed."),
    ],
)
def test_what_is_not_there_is_one_clear_line(words: tuple[Any, ...], said: str, cast: Cast) -> None:
    with pytest.raises(CommandError) as refused:
        run(*words)
    assert str(refused.value) == said


def test_a_message_in_another_encoding_is_one_clear_line(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "message.html").write_bytes(b"\xff\xfeNews")
    with pytest.raises(CommandError, match="Nothing was changed; something that was given cannot be kept"):
        run("template", "save", "News", "--subject", "News", "--html", str(tmp_path / "message.html"))


def test_another_organizations_rows_are_not_there(shoppers: Cast) -> None:
    with tenant(shoppers.rival.pk):
        theirs = Segment.objects.create(name="Theirs")
    with pytest.raises(CommandError, match=f"There is no segment {theirs.pk} here"):
        run("segment", "preview", str(theirs.pk))
