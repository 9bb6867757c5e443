"""The demo's shoppers: they open, click, unsubscribe and buy through the addresses and the API that real ones would use."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from config.demo.inbox.store import Store, StoredMessage
from config.demo.reading import ReadMessage, read_message

BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
)
# Mail programs that load pictures for everybody; the figures have to tell them from people.
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
BOUGHT = (("Haircut", "Hair", 3200), ("Beard trim", "Beard", 1800), ("Hot-towel shave", "Shave", 2800), ("Colour", "Colour", 6500))
# Who answers within seconds of a message's leaving is taken for a machine.
PATIENCE = timedelta(seconds=4)
THREADS = 4


class Shoppers:
    """Answer every message of the inbox once, each recipient in their own way (their address is the seed)."""

    def __init__(self, store: Store, *, address: str, api_key: str, from_message: int = 0) -> None:
        self.store = store
        self.counts: Counter[str] = Counter()
        self._last_id = from_message
        self._people = httpx.Client(timeout=30, follow_redirects=False)
        headers = {"Authorization": f"Bearer {api_key}"}
        self._till = httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30)
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Answer what arrives meanwhile; at the end, all that has arrived is answered."""
        thread = threading.Thread(target=self._work, name="shoppers")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self._people.close()
            self._till.close()

    def _work(self) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            while True:
                over = self._over.is_set()
                messages = self.store.after(self._last_id, arrived_by=datetime.now(UTC) - PATIENCE)
                list(pool.map(self._answer, messages))
                if messages:
                    self._last_id = messages[-1].id
                elif over and not self.store.after(self._last_id, limit=1):
                    return
                else:
                    time.sleep(0.3)

    def _answer(self, message: StoredMessage) -> None:
        chance = random.Random(message.recipient)  # noqa: S311 - repeatable, not secret
        read = read_message(message.source)
        agent = {"User-Agent": chance.choice(BROWSERS)}
        self.counts["arrived"] += 1
        if chance.random() < 0.08:
            self._load(read.pixel, {"User-Agent": PROXY}, "opened by a mail program")
        if chance.random() > 0.46:
            return
        self._load(read.pixel, agent, "opened")
        if chance.random() < 0.016 and read.unsubscribe:
            self._leave(read, agent)
        elif chance.random() < 0.31 and read.links:
            self._load(read.links[0], agent, "clicked")
            if chance.random() < 0.42:
                self._buy(message, chance)

    def _load(self, address: str, headers: dict[str, str], what: str) -> None:
        if address and self._people.get(address, headers=headers).status_code < 400:
            self.counts[what] += 1

    def _leave(self, read: ReadMessage, headers: dict[str, str]) -> None:
        """One click in the mail program (RFC 8058)."""
        answer = self._people.post(read.unsubscribe, data={"List-Unsubscribe": "One-Click"}, headers=headers)
        self.counts["unsubscribed"] += answer.is_success

    def _buy(self, message: StoredMessage, chance: random.Random) -> None:
        """What the till does at the counter: find the customer by their address, record the sale."""
        found = self._till.get("/customers/", params={"email": message.recipient})
        found.raise_for_status()
        if not (customers := found.json()["results"]):
            return
        name, category, price = chance.choice(BOUGHT)
        line = {"description": name, "category": category, "unit_price_minor": price, "quantity": 1}
        sale = {"customer": customers[0]["id"], "payment_method": "card", "lines": [line]}
        self._till.post("/purchases/", json=sale, headers={"Idempotency-Key": f"demo-{message.id}"}).raise_for_status()
        self.counts["bought"] += 1
        self.counts["spent_minor"] += price
