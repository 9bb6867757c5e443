"""``verify_ledger`` finds nothing in a ledger that was only posted to, and every change made behind its back."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.tenancy import tenant
from loyalty.ledger.replay import Check, Findings
from loyalty.ledger.verification import verify_ledger
from loyalty.queries.reward_checks import CHECKS
from tests.conftest import Cast
from tests.database import administrator
from tests.loyalty.ledger_stage import DAY, Stage, make_member

KEPT = len(Check) + len(CHECKS) + 1  # and that closed months are what was posted


@pytest.fixture
def stage(committed_cast: Cast) -> Stage:
    """A wallet with a history of every kind; commits are real."""
    with tenant(committed_cast.saffron.pk):
        stage = Stage(make_member())
        neighbour = Stage(make_member(stage.member.program), keys=stage.keys)
        neighbour.earn(500)
        live(stage)
    return stage


def live(stage: Stage) -> None:
    first = stage.earn(100, expires_in=10 * DAY)
    stage.earn(50, matures_in=2 * DAY, expires_in=30 * DAY)
    redemption = stage.redeem(60)
    stage.undo(redemption, 20)
    _receipt, captured = stage.hold(30)
    stage.capture(captured, 10)
    _receipt, released = stage.hold(5)
    stage.release(released)
    stage.hold(5, lapses_in=DAY)
    cancelled = stage.earn(7, matures_in=9 * DAY)
    stage.now += 3 * DAY
    stage.cancel(cancelled)
    stage.claw_back(150, first)
    stage.earn(90)
    stage.earn(3, expires_in=DAY)
    stage.now += 11 * DAY
    stage.settle()


def findings_of(stage: Stage) -> Findings:
    assert stage.member.organization_id
    with tenant(stage.member.organization_id):
        return verify_ledger()


def verify(organization: str = "saffron") -> str:
    output = StringIO()
    call_command("verify_ledger", "--organization", organization, stdout=output)
    return output.getvalue()


def tamper(*statements: str) -> None:
    """Change rows as nobody but the administrator of the server can, with every trigger off."""
    database = str(connection.settings_dict["NAME"])
    with administrator(database) as superuser:
        superuser.execute("set session_replication_role = replica")
        for statement in statements:
            assert superuser.execute(statement).rowcount > 0


def test_a_ledger_that_was_only_posted_to_keeps_every_promise(stage: Stage) -> None:
    findings = findings_of(stage)
    assert {check: verdict.first for check, verdict in findings.items() if verdict.failed} == {}
    assert {check for check, verdict in findings.items() if not verdict.made} == {Check.MOVES}
    assert verify().count(": ok") == KEPT


def test_an_organization_without_points_keeps_every_promise(stage: Stage) -> None:
    assert verify("rival").count(": ok") == KEPT


ENTRY = "(select id from loyalty_entry where kind = '{kind}' and member_id = {member} order by id limit 1)"
TAMPERINGS = {
    "the amount of an entry": (["update loyalty_entry set amount = amount + 1 where id = {redeem}"], Check.CHAIN, "redeem"),
    "the amount of a leg": (
        ["update loyalty_posting set amount = amount + 1 where entry_id = {redeem} and account = 'redeemed'"],
        Check.ZERO,
        "redeem",
    ),
    "two legs that still sum to zero": (
        [
            "update loyalty_posting set amount = amount - 5 where entry_id = {redeem} and account = 'wallet'",
            "update loyalty_posting set amount = amount + 5 where entry_id = {redeem} and account = 'redeemed'",
        ],
        Check.CHAIN,
        "redeem",
    ),
    "a leg that is gone": (["delete from loyalty_posting where entry_id = {redeem} and account = 'wallet'"], Check.ZERO, "redeem"),
    "a leg of no entry": (
        [
            "insert into loyalty_posting (organization_id, entry_id, account, amount) select organization_id, 999999, 'wallet', 5"
            " from loyalty_entry limit 1"
        ],
        Check.WHOLE,
        None,
    ),
    "a lot of no entry": (
        [
            "insert into loyalty_lot (organization_id, entry_id, member_id, amount, earned_at)"
            " select organization_id, 999999, member_id, 5, updated_at from loyalty_wallet limit 1"
        ],
        Check.WHOLE,
        None,
    ),
    "an entry of no member": (
        [
            'insert into loyalty_entry select (jsonb_populate_record(e, \'{{"id": 999999, "member_id": 999999, "key": null}}\')).*'
            " from loyalty_entry as e where e.id = {redeem}"
        ],
        Check.WHOLE,
        None,
    ),
    "an entry that is gone": (["delete from loyalty_entry where id = {redeem}"], Check.SEQUENCE, "undo"),
    "when an entry counts": (
        ["update loyalty_entry set occurred_at = occurred_at - interval '1 day' where id = {redeem}"],
        Check.CHAIN,
        "redeem",
    ),
    "the reason of an entry": (["update loyalty_entry set reason = 'a gift' where id = {redeem}"], Check.CHAIN, "redeem"),
    "the date of a lot": (
        [
            "update loyalty_lot set expires_at = expires_at + interval '1 year' where entry_id = {earn}",
            "update loyalty_lotremainder set expires_at = expires_at + interval '1 year' where lot_id = {earn}",
        ],
        Check.CHAIN,
        "earn",
    ),
    "two entries in each other's place": (
        [
            "update loyalty_entry set sequence = sequence + 1000 where id in ({redeem}, {undo})",
            "update loyalty_entry set sequence = case id when {redeem} then 4 else 3 end where id in ({redeem}, {undo})",
        ],
        Check.CHAIN,
        "undo",
    ),
    "a cached balance": (["update loyalty_wallet set balance = balance + 1 where member_id = {member}"], Check.WALLETS, None),
    "a cached lot": (["update loyalty_lotremainder set available = available + 1 where lot_id = {earn}"], Check.REMAINDERS, None),
    "a hold": (["update loyalty_hold set state = 'open', captured = 0 where id = {hold}"], Check.STATES, None),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_whoever_changes_it_behind_the_ledgers_back_is_found_and_named(stage: Stage, name: str) -> None:
    statements, check, kind = TAMPERINGS[name]
    member = stage.member.pk
    ids = {kind: ENTRY.format(kind=kind, member=member) for kind in ("earn", "redeem", "undo", "hold")}
    with administrator(str(connection.settings_dict["NAME"])) as superuser:
        found = {kind: superuser.execute(f"select {query}").fetchone() for kind, query in ids.items()}
    numbers = {kind: row[0] for kind, row in found.items() if row}
    tamper(*(statement.format(member=member, **numbers) for statement in statements))
    verdict = findings_of(stage)[check]
    assert verdict.failed > 0
    if kind:
        assert f"wallet {member}, entry {numbers[kind]} " in verdict.first
    elif check in (Check.WALLETS, Check.REMAINDERS, Check.STATES):
        assert verdict.first.startswith(f"wallet {member}")
    with pytest.raises(CommandError, match="broken"):
        verify()


def test_a_key_used_twice_is_found_where_the_index_was_dropped(stage: Stage) -> None:
    with administrator(str(connection.settings_dict["NAME"])) as superuser:
        index = superuser.execute("select pg_get_indexdef('entry_key'::regclass)").fetchone()
        superuser.execute("drop index entry_key")
    try:
        tamper("update loyalty_entry set key = 'key-1' where key = 'key-3'")
        assert findings_of(stage)[Check.KEYS].first == "key key-1"
    finally:
        tamper("update loyalty_entry set key = null")
        with administrator(str(connection.settings_dict["NAME"])) as superuser:
            assert index
            superuser.execute(index[0])
