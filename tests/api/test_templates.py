"""Templates and senders over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.tenancy import tenant
from messaging.models import MessageTemplate, SenderAccount, TemplateVersion
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]
WORDING = {
    "subject": "Spring for {{ customer.first_name | default('you') }}",
    "html": "<p>Hello {{ customer.first_name | default('you') }}</p><p><a href='https://saffron.example/spring'>Look</a></p>{{ footer }}",
}


@pytest.fixture
def template(till: Caller) -> str:
    """The address of a new template."""
    return f"templates/{till.post('templates/', {'name': 'Spring'}).json()['id']}/"


def test_a_template_is_begun_renamed_archived_and_brought_back(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    created = till.post("templates/", {"name": "Spring", "purpose": "feedback"})
    assert (created.status_code, created.json()["name"], created.json()["channel"], created.json()["purpose"]) == (
        201,
        "Spring",
        "email",
        "feedback",
    )
    path = f"templates/{created.json()['id']}/"
    assert till.patch(path, {"name": "Early spring"}).json()["name"] == "Early spring"
    assert till.patch(path, {"purpose": "marketing"}).json()["purpose"] == "marketing"
    assert till.post(f"{path}archive/").json()["archived_at"] is not None
    assert till.get("templates/?is_archived=false").json()["results"] == []
    assert [row["name"] for row in till.get("templates/?is_archived=true").json()["results"]] == ["Early spring"]
    assert till.post(f"{path}restore/").json()["archived_at"] is None
    assert_problem(till.post("templates/", {"name": "Early spring"}), 400, "invalid")
    with tenant(cast.saffron.pk):
        assert MessageTemplate.objects.count() == 1


def test_each_wording_is_a_version_that_stays(cast: Cast, till: Caller, template: str) -> None:
    first = till.post(f"{template}versions/", WORDING)
    assert (first.status_code, first.json()["number"], first.json()["language"]) == (201, 1, "en")
    assert first.json()["links"] == [{"index": 0, "address": "https://saffron.example/spring"}]
    assert first["Location"] == f"/api/v1/{template}versions/1/"
    assert till.post(f"{template}versions/", WORDING).json()["number"] == 1
    assert till.post(f"{template}versions/", {**WORDING, "subject": "Summer"}).json()["number"] == 2
    assert [(row["number"], row["subject"]) for row in till.get(f"{template}versions/").json()["results"]] == [
        (2, "Summer"),
        (1, WORDING["subject"]),
    ]
    assert till.get(f"{template}versions/1/").json()["html"] == WORDING["html"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"html": "<p>{% for x in y %}</p>"}, "#/html"),
        ({"subject": "{{ customer."}, "#/subject"),
        ({"html": "x" * 300_001}, "#/html"),
        ({"subject": "x" * 251}, "#/subject"),
        ({"language": "klingon!"}, "#/language"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_a_wording_that_cannot_be_compiled_is_told_at_its_part(
    cast: Cast, till: Caller, template: str, assert_problem: Problem, change: dict[str, Any], place: str
) -> None:
    body = assert_problem(till.post(f"{template}versions/", {**WORDING, **change}), 400, "invalid")
    assert list(errors_of(body)) == [place]
    with tenant(cast.saffron.pk):
        assert TemplateVersion.objects.count() == 0


def test_what_is_wrong_is_told_before_anything_is_saved(cast: Cast, till: Caller) -> None:
    good = till.post("templates/validate/", WORDING).json()
    assert good == {"is_sendable": True, "problems": []}
    bad = till.post("templates/validate/", {"subject": "Hi {{ customer.frist_name }}", "html": "<p>No way out</p>"}).json()
    assert bad["is_sendable"] is False
    codes = {problem["code"]: problem["part"] for problem in bad["problems"]}
    assert codes == {"unknown_variable": "subject", "missing_unsubscribe": "html", "missing_postal_address": "html"}
    receipt = till.post("templates/validate/", {"subject": "Receipt", "html": "<p>Thanks</p>", "purpose": "transactional"}).json()
    assert receipt == {"is_sendable": True, "problems": []}


def test_a_preview_is_what_the_customer_would_see(cast: Cast, till: Caller, template: str, assert_problem: Problem) -> None:
    with tenant(cast.saffron.pk):
        dana = CustomerFactory.create(first_name="Dana", email="dana@example.com")
    till.post(f"{template}versions/", WORDING)
    for path, body in (("templates/preview/", {**WORDING, "customer": dana.pk}), (f"{template}versions/1/preview/", {"customer": dana.pk})):
        seen = till.post(path, body).json()
        assert seen["subject"] == "Spring for Dana"
        assert "Hello Dana" in seen["html"]
        assert "Hello Dana" in seen["text"]
        assert "dana@example.com" in seen["recipient"]
    assert till.post("templates/preview/", WORDING).json()["subject"] != "Spring for Dana"
    assert errors_of(assert_problem(till.post("templates/preview/", {**WORDING, "customer": 4711}), 400, "invalid")) == {
        "#/customer": "does_not_exist"
    }


def test_a_template_that_never_ends_or_reaches_out_is_stopped(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    for html in (
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
    ):
        assert_problem(till.post("templates/preview/", {"subject": "S", "html": html}), 400, "invalid")
        assert till.post("templates/validate/", {"subject": "S", "html": html}).json()["is_sendable"] is False


def test_senders_are_shown_without_their_secrets(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        secrets: dict[str, Any] = {"credentials": {"password": "hush"}, "options": {"host": "mail.internal"}}
        sender = SenderAccount.objects.create(name="Front door", from_email="hello@saffron.example", **secrets)
    listed = till.get("senders/")
    assert listed.json()["results"] == [till.get(f"senders/{sender.pk}/").json()]
    assert listed.json()["results"][0]["from_email"] == "hello@saffron.example"
    assert b"hush" not in listed.content
    assert b"mail.internal" not in listed.content
