"""``python -m config.demo.inbox``: the SMTP side and the pages in one process, until it is told to stop."""

import argparse
import asyncio
import contextlib
import signal
import threading
from pathlib import Path

from config.demo.inbox.pages import page_server
from config.demo.inbox.smtp import serve_smtp
from config.demo.inbox.store import Store

HOST = "127.0.0.1"


async def run(store: Store, *, smtp_port: int, page_port: int) -> None:
    """Serve both until SIGTERM or SIGINT."""
    pages = page_server(store, host=HOST, port=page_port)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    task = asyncio.create_task(serve_smtp(store, host=HOST, port=smtp_port))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m config.demo.inbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, default=2525)
    parser.add_argument("--page-port", type=int, default=8025)
    parser.add_argument("--file", type=Path, default=Path(".local/inbox.sqlite"))
    wanted = parser.parse_args()
    asyncio.run(run(Store(wanted.file), smtp_port=wanted.smtp_port, page_port=wanted.page_port))
