from loyalty.queries.participation import Participation, participation
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW, Stage
from tests.loyalty.program_stage import Shop, open_program


def test_participation_counts_members_who_earned_and_redeemed_of_late_and_what_they_bought(in_saffron: Cast) -> None:
    program = open_program()
    regular, former = Shop(program), Shop(program)
    CustomerFactory.create()
    regular.buy(50_000, at=NOW - 10 * DAY)
    former.now = NOW - 100 * DAY
    former.buy(70_000)
    Stage(regular.member).redeem(20)
    assert participation(program_id=program.pk, now=NOW) == Participation(
        customers=3, members=2, earned=1, redeemed=1, sales_minor=50_000, members_sales_minor=50_000
    )
