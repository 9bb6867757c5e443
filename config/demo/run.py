"""The demo from its first line to Ctrl-C."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.core.management import call_command

from campaigns.queries.figures import CampaignFigures
from config.demo.accounting import account_for
from config.demo.business import open_business
from config.demo.campaign import NAME, dispatch_of, figures_of, is_over, launch, show
from config.demo.generator import fill_business, is_filled
from config.demo.inbox.store import Store
from config.demo.keys import till_key
from config.demo.messages import prepare_messages
from config.demo.report import print_account, print_figures, print_shoppers, print_where_to_go
from config.demo.shoppers import Shoppers
from config.demo.stage import HOST, Stage, inbox
from config.demo.voice import Voice
from config.processes import Processes, product
from config.servers import servers

CAMPAIGN_SECONDS = 600.0
FIGURES_SECONDS = 60.0


def run_demo(stage: Stage, *, leave: bool, customers: int, voice: Voice) -> bool:
    """Show the whole product; whether every message is accounted for.

    Args:
        leave: end after the campaign instead of serving until Ctrl-C.
        customers: how many to invent if there are none yet.

    Raises:
        ProcessError: something of the machine is in the way; the message says what to do.
    """
    settings.PUBLIC_URL = stage.address
    with stage.alone():
        stage.claim_ports()
        voice.step("Starting PostgreSQL and Valkey")
        with servers(), Processes(stage.folder / "logs", {"PUBLIC_URL": stage.address}) as processes:
            organization_id = _prepare(stage, customers, voice)
            voice.step("Starting web server, workers, beat and inbox")
            processes.start(inbox(stage), *product(host=HOST, port=stage.port, folder=stage.folder))
            balances = _campaign(stage, organization_id, processes, voice)
            print_where_to_go(stage, voice)
            if not leave:
                processes.watch()
            voice.step("Stopping")
    return balances


def _prepare(stage: Stage, customers: int, voice: Voice) -> int:
    voice.step("Migrating the database")
    call_command("migrate", verbosity=0)
    organization_id = open_business()
    if not is_filled(organization_id):
        voice.step(f"Inventing {customers:,} customers and two years of visits and purchases")
        fill_business(organization_id, now=datetime.now(UTC), progress=voice.progress, count=customers)
    prepare_messages(organization_id, stage=stage)
    voice.step("Saffron Barbers is ready")
    return organization_id


def _campaign(stage: Stage, organization_id: int, processes: Processes, voice: Voice) -> bool:
    """Launch the campaign unless it was launched before, see it through, and count."""
    store = Store(stage.inbox_file)
    campaign_id, is_new = launch(organization_id, now=datetime.now(UTC))
    voice.step(f"The campaign “{NAME}” goes out" if is_new else f"The campaign “{NAME}” went out at an earlier start")
    if is_new or not is_over(organization_id, campaign_id):
        shoppers = Shoppers(store, address=stage.address, api_key=till_key(organization_id, stage.key_file))
        with shoppers.at_work():
            _wait(lambda: is_over(organization_id, campaign_id), processes)
            voice.step("All has left; the last shoppers read, click and buy")
        print_shoppers(shoppers.counts, voice)
        voice.step("The figures come in")
        _wait(lambda: show(_figures(organization_id, campaign_id), shoppers.counts), processes, seconds=FIGURES_SECONDS)
    account = account_for(organization_id=organization_id, dispatch_id=dispatch_of(organization_id, campaign_id), store=store)
    store.close()
    print_account(account, voice)
    print_figures(_figures(organization_id, campaign_id), voice)
    return account.balances


def _figures(organization_id: int, campaign_id: int) -> CampaignFigures:
    return figures_of(organization_id, campaign_id, now=datetime.now(UTC))


def _wait(is_done: Callable[[], bool], processes: Processes, *, seconds: float = CAMPAIGN_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline:
        processes.check()
        time.sleep(0.5)
