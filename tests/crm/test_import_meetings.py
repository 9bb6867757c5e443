"""Imports that meet somebody who writes the same meanwhile, and those that can never be written."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.utils import timezone

from accounts.tenancy import tenant
from crm.actions import NewLine, create_customer, record_purchase, set_consent
from crm.imports import actions, purchases, writing
from crm.imports.queries import waiting_imports
from crm.imports.running import Run
from crm.models import Channel, Consent, ConsentChange, ConsentState, Customer, ImportFinding, ImportJob, Purchase, Purpose
from tests.conftest import Cast
from tests.crm.import_files import counts, findings, start


def run(cast: Cast, job: ImportJob) -> ImportJob:
    done = actions.run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    assert done is not None
    return done


def meanwhile(cast: Cast, write: Callable[[], Any]) -> None:
    """Somebody else writes and commits, on a connection of their own."""

    def connected() -> None:
        try:
            with tenant(cast.saffron.pk):
                write()
        finally:
            connection.close()

    thread = threading.Thread(target=connected)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def before_writing(cast: Cast, monkeypatch: pytest.MonkeyPatch, write: Callable[[], Any]) -> None:
    """Let somebody else write after an import compared its rows and before it writes them."""

    def late(run: Run, chunk: writing.Chunk) -> dict[str, int]:
        meanwhile(cast, write)
        return writing.write_chunk(run, chunk)

    monkeypatch.setattr(actions, "write_chunk", late)


def new_customer(cast: Cast, **values: Any) -> Customer:
    with tenant(cast.saffron.pk):
        return create_customer(actor=cast.alice_acts, now=timezone.now(), **values)


@pytest.mark.parametrize(
    ("row", "taken", "code"),
    [
        ("X1,b@example.com,", {"email": "b@example.com"}, "email_taken"),
        ("X1,,2025550126", {"phone": "2025550126"}, "phone_taken"),
        ("X2,a@example.com,", {"external_id": "X2"}, "email_taken"),
    ],
)
def test_what_somebody_else_got_after_the_comparison_refuses_its_row_alone(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch, row: str, taken: dict[str, str], code: str
) -> None:
    cast = committed_cast
    known = new_customer(cast, external_id="X1" if row.startswith("X1") else "", email="a@example.com", phone="2025550125")
    job = start(cast.saffron, cast.alice_acts, f"id,email,phone\n{row}\nX5,new@example.com,\n")
    before_writing(cast, monkeypatch, lambda: create_customer(actor=cast.alice_acts, now=timezone.now(), first_name="New", **taken))
    done = run(cast, job)
    assert (done.state, counts(done), findings(done)) == ("done", {"read": 2, "created": 1, "rejected": 1}, [(2, True, code)])
    with tenant(cast.saffron.pk):
        other = Customer.objects.get(first_name="New")
        refused = ImportFinding.objects.get()
        holder = known.pk if "external_id" in taken else other.pk
        assert (refused.raw, refused.parameters) == (row, {"holder": holder})
        assert (Customer.objects.get(pk=known.pk).email, Customer.objects.get(pk=known.pk).phone) == ("a@example.com", "+12025550125")


def test_new_rows_that_turn_out_to_be_one_customer_are_taken_together(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, "email,phone,city,newsletter\na@example.com,,Reno,yes\n,2025550125,Boise,yes\n")
    before_writing(
        cast,
        monkeypatch,
        lambda: create_customer(actor=cast.alice_acts, now=timezone.now(), email="a@example.com", phone="2025550125"),
    )
    done = run(cast, job)
    assert counts(done) == {"read": 2, "updated": 1, "consents": 1, "repeated": 1, "noted": 1}
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("email", "phone", "city").get() == ("a@example.com", "+12025550125", "Boise")


def test_a_consent_withdrawn_while_an_import_writes_stays_withdrawn(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    ann, ben = (new_customer(cast, email=f"{name}@example.com") for name in ("ann", "ben"))
    job = start(cast.saffron, cast.alice_acts, "email,newsletter\nann@example.com,yes\nben@example.com,yes\n")
    real = Run.execute

    def withdraw() -> None:
        set_consent(
            customer=ann,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=ConsentState.WITHDRAWN,
            source="page",
            now=timezone.now(),
            actor=cast.alice_acts,
        )

    def execute(self: Run, statement: str, parameters: Any = ()) -> int:
        if statement == "analyze import_consents":
            meanwhile(cast, withdraw)
        return real(self, statement, parameters)

    monkeypatch.setattr(Run, "execute", execute)
    assert counts(run(cast, job)) == {"read": 2, "unchanged": 2, "consents": 1}
    with tenant(cast.saffron.pk):
        assert dict(Consent.objects.values_list("customer_id", "state")) == {ann.pk: "withdrawn", ben.pk: "granted"}
        assert set(ConsentChange.objects.values_list("customer_id", "state", "source")) == {
            (ann.pk, "withdrawn", "page"),
            (ben.pk, "granted", "import"),
        }


@pytest.mark.parametrize("error", [IntegrityError("never"), DataError("never")])
def test_an_import_that_can_never_be_written_fails_and_holds_up_no_other(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    cast = committed_cast
    job, following = (start(cast.saffron, cast.alice_acts, "email\na@example.com\n") for _ in range(2))

    def fail(run: Run, chunk: writing.Chunk) -> dict[str, int]:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(actions, "write_chunk", fail)
        with pytest.raises(type(error)):
            run(cast, job)
    with tenant(cast.saffron.pk):
        failed = ImportJob.objects.get(pk=job.pk)
        assert (failed.state, failed.error) == ("failed", f"{type(error).__name__}: never")
        assert waiting_imports() == [following.pk]


def test_an_import_whose_database_went_away_is_left_to_the_sweep(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, "email\na@example.com\n")

    def fail(run: Run, chunk: writing.Chunk) -> dict[str, int]:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(actions, "write_chunk", fail)
        with pytest.raises(OperationalError):
            run(cast, job)
    with tenant(cast.saffron.pk):
        assert (ImportJob.objects.get(pk=job.pk).state, waiting_imports()) == ("writing", [job.pk])
    assert counts(run(cast, job)) == {"read": 1, "created": 1}


def test_receipts_somebody_else_recorded_while_an_import_writes_are_known(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    lines = "invoice,date,amount\n1,2025-03-01,10\n2,2025-03-01,5\n3,2025-03-01,7\n"
    job = start(cast.saffron, cast.alice_acts, lines, kind="purchases")
    written: list[str] = []
    real = Run.execute

    def record() -> None:
        for number, amount in (("1", 1000), ("2", 900)):
            record_purchase(lines=[NewLine(amount)], purchased_at=timezone.now(), now=timezone.now(), actor=cast.alice_acts, number=number)

    def execute(self: Run, statement: str, parameters: Any = ()) -> int:
        if statement == purchases._PURCHASES:
            if not written:
                meanwhile(cast, record)
            written.append(statement)
        return real(self, statement, parameters)

    monkeypatch.setattr(Run, "execute", execute)
    done = run(cast, job)
    assert (done.state, len(written), findings(done)) == ("done", 2, [(3, True, "receipt_changed")])
    assert (done.counts["sales"], done.counts["unchanged"], done.counts["lines"]) == (1, 1, 1)
    with tenant(cast.saffron.pk):
        assert dict(Purchase.objects.values_list("number", "total_minor")) == {"1": 1000, "2": 900, "3": 700}
