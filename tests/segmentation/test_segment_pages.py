"""The pages of segments: the builder without script, the live preview, members, reasons and who may do what."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from campaigns.models import Campaign
from crm.events import NewEvent, record_events
from crm.models import Customer
from segmentation.builder import build, read_form
from segmentation.builder.controls import Builder
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import read_rules
from segmentation.sentences import Narrator
from segmentation.words import Words
from tests.campaigns.worlds import make_campaign, make_dispatch
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.segmentation.test_sentences import SENTENCES
from tests.segmentation.worlds import NOW, declare_attributes

SPENT = {"r.mode": "all", "r.size": "1", "r-0.subject": "field:spent", "r-0.op": "at_least", "r-0.value": "500"}
RULES = {"all": [{"field": "spent", "op": "at_least", "value": 50_000}]}


def make(cast: Cast, **values: Any) -> Segment:
    with tenant(cast.saffron.pk):
        return Segment.objects.create(**{"name": "Rich", "rules": RULES, **values})


def customer(cast: Cast, **values: Any) -> Customer:
    with tenant(cast.saffron.pk):
        made: Customer = CustomerFactory.create(**values)
        return made


def test_a_segment_is_built_and_saved_without_writing_rules(cast: Cast, as_alice: Client) -> None:
    page = as_alice.post("/segments/new/", {**SPENT, "name": "Rich", "description": "", "save": "1"})
    assert page.status_code == 302
    with tenant(cast.saffron.pk):
        segment = Segment.objects.get(name="Rich")
        assert (segment.rules, segment.kind) == (RULES, "dynamic")
    assert page["Location"] == f"/segments/{segment.pk}/"


def test_a_fault_is_shown_at_its_condition_and_what_was_typed_stays(cast: Cast, as_alice: Client) -> None:
    page = as_alice.post("/segments/new/", {**SPENT, "r-0.value": "five hundred", "name": "Rich", "save": "1"})
    body = page.content.decode()
    assert page.status_code == 422
    assert "Give a whole number." in body
    assert 'value="five hundred"' in body
    assert 'value="Rich"' in body
    with tenant(cast.saffron.pk):
        assert not Segment.objects.exists()


def test_conditions_groups_and_details_are_added_and_removed_by_buttons(as_alice: Client) -> None:
    def pressed(form: dict[str, str], command: str) -> dict[str, str]:
        return fields_of(as_alice.post("/segments/builder/", {**form, "do": command}).content.decode())

    form = pressed(SPENT, "group:r")
    assert (form["r.size"], form["r-1.mode"], form["r-1.size"]) == ("2", "any", "1")
    form = pressed({**form, "r-1-0.subject": "event:purchase.completed"}, "filter:r-1-0")
    assert (form["r-1-0.filters"], form["r-1-0.f0.property"]) == ("1", "total_minor")
    form = pressed(form, "remove:r-0")
    assert (form["r.size"], form["r-0.mode"], form["r-0-0.subject"]) == ("1", "any", "event:purchase.completed")
    form = pressed(form, "remove:r-0-0")
    assert (form["r.size"], form["r-0.subject"]) == ("1", "field:visit_count")


def test_groups_are_numbered_in_the_readers_digits(as_alice: Client) -> None:
    as_alice.cookies["django_language"] = "fa"
    form = fields_of(as_alice.post("/segments/builder/", {**SPENT, "do": "group:r"}).content.decode())
    assert "<legend>دسته ۲.۲</legend>" in as_alice.post("/segments/builder/", {**form, "do": "group:r-1"}).content.decode()


@pytest.mark.parametrize(
    "command", ["", "x", "remove:r", "remove:r-9", "group:r-0", "condition:q", "filter:r-0", "remove:r-0.fx", "remove:r-0.f7"]
)
def test_a_command_that_cannot_be_done_changes_nothing(as_alice: Client, command: str) -> None:
    form = fields_of(as_alice.post("/segments/builder/", {**SPENT, "do": command}).content.decode())
    assert {name: form[name] for name in SPENT} == SPENT


def test_the_preview_says_the_rules_in_words_and_counts(cast: Cast, as_alice: Client) -> None:
    customer(cast, first_name="Dana", facts__spent_minor=60_000)
    customer(cast, first_name="Omid", facts__spent_minor=10)
    body = as_alice.post("/segments/preview/", SPENT).content.decode()
    assert "1 customer" in body
    assert "Spent at least $500.00" in body
    assert "Dana" in body
    assert "Omid" not in body


def test_an_unfinished_condition_is_no_error_in_the_preview(as_alice: Client) -> None:
    page = as_alice.post("/segments/preview/", {**SPENT, "r-0.value": ""})
    assert page.status_code == 200
    assert "1 thing is still to be filled in" in page.content.decode()


def test_a_segment_page_shows_its_members_with_their_consent_and_the_sentence(cast: Cast, as_alice: Client) -> None:
    segment = make(cast)
    rich = customer(cast, first_name="Dana", facts__spent_minor=60_000)
    body = as_alice.get(f"/segments/{segment.pk}/").content.decode()
    assert "Spent at least $500.00" in body
    assert f"/customers/{rich.pk}/" in body
    assert "never asked" in body


def test_the_reason_page_tells_each_condition_apart(cast: Cast, as_alice: Client) -> None:
    segment, poor = make(cast), customer(cast, facts__spent_minor=1_000)
    body = as_alice.get(f"/segments/{segment.pk}/customers/{poor.pk}/").content.decode()
    assert "Is not in segment “Rich”" in body
    assert "found: $10.00" in body


def test_the_list_shows_segments_in_words_and_counts_those_not_counted_lately(cast: Cast, as_alice: Client) -> None:
    segment = make(cast)
    customer(cast, facts__spent_minor=60_000)
    assert f"/segments/{segment.pk}/size/" in as_alice.get("/segments/").content.decode()
    assert ">1</span>" in as_alice.get(f"/segments/{segment.pk}/size/").content.decode()
    assert f"/segments/{segment.pk}/size/" not in as_alice.get("/segments/").content.decode()


def test_a_snapshot_is_taken_from_the_page(cast: Cast, as_alice: Client) -> None:
    segment = make(cast)
    customer(cast, facts__spent_minor=60_000)
    page = as_alice.post(f"/segments/{segment.pk}/snapshot/", {"name": "Rich then"})
    with tenant(cast.saffron.pk):
        fixed = Segment.objects.get(name="Rich then")
        assert (fixed.kind, fixed.member_count) == (SegmentKind.STATIC, 1)
    assert page["Location"] == f"/segments/{fixed.pk}/"


def test_people_are_put_on_a_list_by_what_they_are_known_by(cast: Cast, as_alice: Client) -> None:
    fixed = make(cast, kind=SegmentKind.STATIC, rules={})
    dana = customer(cast, email="dana@example.test", phone="+12025550123")
    omid = customer(cast, email="omid@example.test", phone="", external_id="A7")
    typed = "Dana@Example.test\nA7, nobody@example.test"
    body = as_alice.post(f"/segments/{fixed.pk}/members/add/", {"identifiers": typed}, follow=True).content.decode()
    assert "2 customers were added." in body
    assert "nobody@example.test is nobody" in body
    as_alice.post(f"/segments/{fixed.pk}/members/{omid.pk}/remove/")
    with tenant(cast.saffron.pk):
        assert list(SegmentMember.objects.values_list("customer_id", flat=True)) == [dana.pk]


def test_rules_that_no_longer_work_are_told_on_every_page(cast: Cast, as_alice: Client) -> None:
    segment, someone = make(cast, rules={"all": [{"field": "attribute.gone", "op": "known"}]}), customer(cast)
    for address in ("", f"{segment.pk}/", f"{segment.pk}/customers/{someone.pk}/"):
        body = as_alice.get(f"/segments/{address}").content.decode()
        assert "all[0].field: There is no field “attribute.gone”." in body
    assert "not counted" in as_alice.get(f"/segments/{segment.pk}/size/").content.decode()
    assert as_alice.get(f"/segments/{segment.pk}/edit/").status_code == 200


def test_the_customer_page_names_the_segments_of_the_customer(cast: Cast, as_alice: Client) -> None:
    make(cast)
    rich, poor = customer(cast, facts__spent_minor=60_000), customer(cast)
    assert "Why not" not in as_alice.get(f"/segments/of-customer/{rich.pk}/").content.decode()
    assert "In no segment now." in as_alice.get(f"/segments/of-customer/{poor.pk}/").content.decode()


def test_pages_of_many_segments_ask_little(cast: Cast, as_alice: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    locations = {"property": "location", "op": "any_of", "value": [cast.downtown.pk]}
    for number in range(30):
        make(
            cast,
            name=f"Segment {number}",
            rules={
                "all": [{"event": "visit.completed", "where": [locations]}, {"segment": make(cast, name=f"Rich {number}").pk, "op": "in"}]
            },
        )
    someone = customer(cast)
    with django_assert_max_num_queries(30):
        assert as_alice.get("/segments/").status_code == 200
    with django_assert_max_num_queries(8 * 30):
        assert as_alice.get(f"/segments/of-customer/{someone.pk}/").status_code == 200


PAGES = [
    "",
    "new/",
    "new-list/",
    "{segment}/",
    "{segment}/size/",
    "{segment}/edit/",
    "{segment}/customers/{customer}/",
    "of-customer/{customer}/",
]
POSTS = ["new/", "new-list/", "builder/", "preview/", "{segment}/edit/", "{segment}/snapshot/", "{segment}/delete/", "{segment}/members/add/",
         "{segment}/members/{customer}/remove/"]  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_the_front_desk_sees_no_segments(cast: Cast, as_bob: Client, address: str) -> None:
    segment, someone = make(cast), customer(cast)
    assert as_bob.get(f"/segments/{address.format(segment=segment.pk, customer=someone.pk)}").status_code == 403


@pytest.mark.parametrize("address", POSTS)
def test_the_front_desk_changes_no_segments(cast: Cast, as_bob: Client, address: str) -> None:
    segment, someone = make(cast), customer(cast)
    form = {**SPENT, "name": "Mine", "save": "1", "identifiers": someone.email}
    assert as_bob.post(f"/segments/{address.format(segment=segment.pk, customer=someone.pk)}", form).status_code == 403
    with tenant(cast.saffron.pk):
        assert list(Segment.objects.values_list("name", "rules")) == [("Rich", RULES)]


@pytest.mark.parametrize("address", [address for address in PAGES if "{" in address])
def test_another_organization_finds_nothing(cast: Cast, as_charlie: Client, address: str) -> None:
    segment, someone = make(cast), customer(cast)
    assert as_charlie.get(f"/segments/{address.format(segment=segment.pk, customer=someone.pk)}").status_code == 404


@pytest.mark.parametrize("address", [address for address in POSTS if "{segment}" in address])
def test_another_organization_changes_nothing(cast: Cast, as_charlie: Client, address: str) -> None:
    segment, someone = make(cast), customer(cast)
    form = {**SPENT, "name": "Mine", "save": "1", "identifiers": someone.email}
    assert as_charlie.post(f"/segments/{address.format(segment=segment.pk, customer=someone.pk)}", form).status_code == 404
    with tenant(cast.saffron.pk):
        assert list(Segment.objects.values_list("name", "rules")) == [("Rich", RULES)]


def test_another_organizations_preview_counts_none_of_ours(cast: Cast, as_charlie: Client) -> None:
    customer(cast, first_name="Dana", facts__spent_minor=60_000)
    body = as_charlie.post("/segments/preview/", SPENT).content.decode()
    assert "0 customers" in body
    assert "Dana" not in body


@pytest.mark.parametrize("rules", [rules for rules, _sentence in SENTENCES])
def test_the_builder_shows_every_rule_and_reads_it_back_unchanged(in_saffron: Cast, rules: dict[str, Any]) -> None:
    declare_attributes()
    assert rebuilt(rules) == read_rules(rules)


@pytest.mark.parametrize("text", ["Washington, D.C.", "قم، تهران", 'the "Old" town', '"', "a;b", "back\\slash, too"])
def test_texts_with_a_separator_or_quotes_survive_the_builder(in_saffron: Cast, text: str) -> None:
    rules = {"all": [{"field": "city", "op": "any_of", "value": [text, "Paris"]}]}
    assert rebuilt(rules) == read_rules(rules)


def test_a_campaign_that_is_not_offered_any_more_stays_chosen(in_saffron: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.segment_fields.OFFERED", 1)
    dispatches = []
    for number in range(2):
        dispatches.append(make_dispatch(f"Ledger {number}").pk)
        campaign = make_campaign(name=f"Campaign {number}")
        Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatches[-1], launched_at=NOW + timedelta(days=number))
    old = {"property": "dispatch", "op": "any_of", "value": [dispatches[0]]}
    rules = {"all": [{"event": "message.opened", "count": {"op": "at_least", "value": 1}, "where": [old]}]}
    assert rebuilt(rules) == read_rules(rules)
    assert "Campaign 0" in Narrator(Words()).sentence(read_rules(rules))


def rebuilt(rules: dict[str, Any]) -> Any:
    """The rules after the builder has shown them and a browser has sent them back."""
    words, posted = Words(), QueryDict(mutable=True)
    for name, values in values_of(build(rules, words)).items():
        posted.setlist(name, values)
    return read_rules(read_form(posted, words))


def values_of(node: Builder) -> dict[str, list[str]]:
    """What a browser would send for a builder left as it is."""
    sent = {f"{node.name}.size": [str(len(node.children))]} if node.is_group else {f"{node.name}.filters": [str(len(node.filters))]}
    for _label, options in node.subjects:
        sent |= {f"{node.name}.subject": [option.value] for option in options if option.chosen}
    for one in [*node.inputs, *(each for line in node.filters for each in line.inputs)]:
        if one.kind == "day":
            found = re.search(r'value="([^"]*)"', str(one.html))
            sent[one.name] = [found.group(1) if found else ""]
        elif one.options:
            sent[one.name] = [option.value for option in one.options if option.chosen]
        else:
            sent[one.name] = [one.value]
    for child in node.children:
        sent |= values_of(child)
    return sent


def fields_of(html: str) -> dict[str, str]:
    """Names and values of a form's inputs and selects, as a browser would send them."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name.group(1)] = value.group(1) if value else ""
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        first = re.search(r'<option value="([^"]*)"', body)
        found[name] = (chosen or first).group(1) if chosen or first else ""  # type: ignore[union-attr]
    return found


def test_events_of_the_past_are_counted_in_the_preview(cast: Cast, as_alice: Client) -> None:
    dana = customer(cast, first_name="Dana")
    with tenant(cast.saffron.pk):
        record_events(NewEvent("visit.completed", timezone.now() - timedelta(days=days), dana.pk) for days in (1, 2, 90))
    form = {"r.mode": "all", "r.size": "1", "r-0.subject": "event:visit.completed", "r-0.count.op": "exactly", "r-0.count": "2",
            "r-0.when": "last", "r-0.last.amount": "30", "r-0.last.unit": "days", "r-0.filters": "0"}  # fmt: skip
    body = as_alice.post("/segments/preview/", form).content.decode()
    assert "Exactly 2 visits in the last 30 days" in body
    assert "Dana" in body


def test_the_admin_shows_segments_in_words_and_writes_them_through_actions(cast: Cast, as_alice: Client) -> None:
    segment = make(cast)
    assert "Rich" in as_alice.get("/admin/segmentation/segment/").content.decode()
    page = as_alice.get(f"/admin/segmentation/segment/{segment.pk}/change/").content.decode()
    assert "Spent at least $500.00" in page
    refused = as_alice.post(
        f"/admin/segmentation/segment/{segment.pk}/change/", {"name": "Rich", "description": "", "rules": '{"all": [{"field": "height"}]}'}
    )
    assert "There is no field “height”." in refused.content.decode()
    as_alice.post(f"/admin/segmentation/segment/{segment.pk}/change/", {"name": "Richer", "description": "", "rules": json.dumps(RULES)})
    with tenant(cast.saffron.pk):
        assert list(Segment.objects.values_list("name", "rules")) == [("Richer", RULES)]
        assert AuditEntry.objects.filter(action="segment.changed", after={"name": "Richer"}).count() == 1


def test_the_admin_deletes_no_segment_that_another_refers_to(cast: Cast, as_alice: Client) -> None:
    segment = make(cast)
    make(cast, name="Not rich", rules={"none": [{"segment": segment.pk}]})
    assert as_alice.post(f"/admin/segmentation/segment/{segment.pk}/delete/", {"post": "yes"}).status_code == 403
    as_alice.post("/admin/segmentation/segment/", {"action": "delete_selected", "_selected_action": [segment.pk], "post": "yes"})
    with tenant(cast.saffron.pk):
        assert Segment.objects.count() == 2


def test_the_admin_shows_members_and_lets_nobody_write_them(cast: Cast, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        fixed = Segment.objects.create(name="Guests", kind=SegmentKind.STATIC)
        SegmentMember.objects.create(segment=fixed, customer=CustomerFactory.create(first_name="Dana"))
    assert "Dana" in as_alice.get("/admin/segmentation/segmentmember/").content.decode()
    assert as_alice.get("/admin/segmentation/segmentmember/add/").status_code == 403


HOSTILE = [
    {
        "r.mode": "all",
        "r.size": "100",
        **{f"r-{index}.mode": "all" for index in range(99)},
        **{f"r-{index}.size": "100" for index in range(99)},
    },
    {"r.mode": "all", "r.size": "9" * 50},
    {"r.mode": "all", "r.size": "-1"},
    {"r.mode": "maybe", "r.size": "1"},
    {**SPENT, "r-0.value": "9" * 10_000},
    {**SPENT, "r-0.value": "1e99999"},
    {**SPENT, "r-0.subject": "segment:", "r-0.segment": "9" * 5_000},
    {**SPENT, "r-0.subject": "segment:", "r-0.segment": "٣"},
    {**SPENT, "r-0.subject": "nothing"},
    {**SPENT, "r-0.subject": "event:", "r-0.kind": "\x00", "r-0.count": "many", "r-0.when": "last", "r-0.last.unit": "aeons"},
    {**SPENT, "r-0.subject": "event:x", "r-0.filters": "10", "r-0.f0.value": "NaN", "r-0.f1.value": "[[[[", "r-0.f2.value": "9" * 5_000},
    {**SPENT, "r-0.subject": "field:birthday", "r-0.op": "before", "r-0.value.kind": "date", "r-0.value.date": "0000-99-99"},
    {**SPENT, "r-0.subject": "field:birthday", "r-0.op": "between", "r-0.value.first.kind": "ago", "r-0.value.first.unit": ""},
    {**SPENT, "r-0.subject": "field:tags", "r-0.op": "has_any", "r-0.value": "," * 5_000},
]


@pytest.mark.parametrize("form", HOSTILE, ids=range(len(HOSTILE)))
def test_no_form_breaks_the_builder(cast: Cast, as_alice: Client, form: dict[str, str]) -> None:
    assert as_alice.post("/segments/preview/", form).status_code == 200
    assert as_alice.post("/segments/builder/", {**form, "do": "condition:r"}).status_code == 200
    assert as_alice.post("/segments/new/", {**form, "name": "Odd", "save": "1"}).status_code == 422
    with tenant(cast.saffron.pk):
        assert not Segment.objects.exists()
