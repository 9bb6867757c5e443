"""A day's limit holds when somebody gives from several windows at once."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connections
from django.utils import timezone

from accounts.models import Role
from accounts.tenancy import tenant
from loyalty.actions.counter import give_points
from loyalty.models import Member, Wallet
from loyalty.refusals import PointsRefusedError
from tests.conftest import Cast
from tests.loyalty.ledger_stage import make_member, make_program

WINDOWS = 8


def test_eight_windows_at_once_give_no_more_than_a_day_allows(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        program = make_program()
        members = [make_member(program) for _window in range(WINDOWS)]

    def give(member: Member) -> bool:
        try:
            with tenant(committed_cast.saffron.pk):
                give_points(
                    member=member, amount=500, reason="Goodwill", token=f"a-token-of-a-form-{member.pk}", now=timezone.now(),
                    actor=committed_cast.bob_acts, role=Role.FRONT_DESK,
                )  # fmt: skip
        except PointsRefusedError:
            return False
        else:
            return True
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(WINDOWS) as pool:
        given = list(pool.map(give, members))
    with tenant(committed_cast.saffron.pk):
        balances = sorted(Wallet.objects.values_list("balance", flat=True))
    assert (sum(given), balances) == (4, [0, 0, 0, 0, 500, 500, 500, 500])
