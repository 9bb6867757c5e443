"""What the demo prints at its end: what the shoppers did, the account of every message, addresses and logins."""

from collections import Counter

from campaigns.queries.figures import CampaignFigures
from config.demo.accounting import Account
from config.demo.business import PEOPLE
from config.demo.stage import PASSWORD, Stage
from config.demo.voice import Voice
from messaging.models import DeliveryState, SkipReason


def print_shoppers(counts: Counter[str], voice: Voice) -> None:
    """What the shoppers did, as they counted it themselves."""
    spent = f"{counts['spent_minor'] / 100:,.2f} USD"
    voice.line(
        f"          The shoppers opened {counts['opened']:,} messages, clicked in {counts['clicked']:,}, bought {counts['bought']:,} times"
        f" for {spent}, {counts['unsubscribed']:,} unsubscribed; mail programs loaded {counts['opened by a mail program']:,} pictures."
    )


def print_account(account: Account, voice: Voice) -> None:
    """The ledger beside the inbox, and whether they agree."""
    voice.line()
    voice.line(f"  Planned {account.planned:,} messages; left out {sum(account.skipped.values()):,} customers:")
    for reason, count in account.skipped.most_common():
        voice.line(f"    {count:>7,}  {SkipReason(reason).label}")
    voice.line("  Every planned message has one fate:")
    for state, count in account.states.most_common():
        voice.line(f"    {count:>7,}  {DeliveryState(state).label}")
    voice.line(f"  The inbox holds {account.arrived:,} of them.")
    if account.balances:
        voice.line("  Every message is accounted for.")
    else:
        voice.line(
            f"  NOT ACCOUNTED FOR: {account.waiting:,} without a fate, {account.missing:,} marked as sent and not arrived,"
            f" {account.unexpected:,} arrived and not marked, {account.twice:,} arrived twice."
        )


def print_figures(figures: CampaignFigures, voice: Voice) -> None:
    """What the campaign's page shows."""
    done, earned = figures.engagement, figures.earned
    voice.line(
        f"  People opened {done.opened:,} and clicked {done.clicked:,}, {done.unsubscribed:,} unsubscribed"
        f" (machines alone opened {done.machine_opened:,})."
    )
    voice.line(f"  {earned.buyers:,} customers bought {earned.orders:,} times because of it: {earned.revenue_minor / 100:,.2f} USD.")


def print_where_to_go(stage: Stage, voice: Voice) -> None:
    """Addresses and logins."""
    voice.line()
    voice.line(f"  Product    {stage.address}/")
    voice.line(f"  Inbox      {stage.inbox_address}/")
    voice.line(f"  API        {stage.address}/api/docs/   (key: {stage.key_file})")
    voice.line()
    for person in PEOPLE:
        where = f", {', '.join(person.branches)} only" if person.branches else ""
        voice.line(f"  {person.role.label:<12} {person.email:<30} {PASSWORD}   ({person.name}{where})")
    voice.line()
    voice.line("  Ctrl-C ends it; the data stays. make reset deletes it.")
