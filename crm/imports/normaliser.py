"""Blocks of rows in, normalised blocks out: here, or in processes of their own when a file is large.

A process is started as a program rather than forked: a Celery worker may not fork, and the rules need no database.
"""

import marshal
import os
import queue
import secrets
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Protocol

from crm.imports.customer_rows import CustomerRows
from crm.imports.fields import ImportKind
from crm.imports.plan import Plan
from crm.imports.prints import Prints
from crm.imports.purchase_rows import PurchaseRows
from crm.imports.records import Block
from crm.imports.rows import Finding, NormalisedBlock

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PIPE_BYTES: Final = 1 << 18  # room for the next block of some 64 KB beside the one at work
_SIZE: Final = struct.Struct("<Q")


class Rules(Protocol):
    """The rules of one plan."""

    def block(self, block: Block) -> NormalisedBlock: ...


def rules_of(plan: Plan) -> Rules:
    """The rules for a plan's kind of rows."""
    return CustomerRows(plan) if plan.kind is ImportKind.CUSTOMERS else PurchaseRows(plan)


def normalised(blocks: Iterator[Block], plan: Plan, *, processes: int) -> Iterator[NormalisedBlock]:
    """Normalise every block; with processes, in whatever order they come back."""
    if processes > 0:
        yield from _Pool(plan, processes).run(blocks)
        return
    rules = rules_of(plan)
    yield from map(rules.block, blocks)


class _Pool:
    """Programs that normalise, each with a thread that feeds it and one that collects its answers."""

    def __init__(self, plan: Plan, processes: int) -> None:
        # One seed, so that all take the same fingerprints; a new one each time, so that no file can foresee them.
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(secrets.randbelow(2**32))}
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "crm.imports.normaliser"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pipesize=PIPE_BYTES,
                env=environment,
            )
            for _ in range(processes)
        ]
        self._plan = plan
        self._taking = threading.Lock()
        self._done: queue.Queue[NormalisedBlock | BaseException | None] = queue.Queue(maxsize=2 * processes)
        self._stopped = threading.Event()

    def run(self, blocks: Iterator[Block]) -> Iterator[NormalisedBlock]:
        """Yield what comes back until every process has nothing left to do; then end them."""
        for process in self._processes:
            for serve in (partial(self._feed, process, blocks), partial(self._collect, process)):
                threading.Thread(target=self._watched, args=(serve,), daemon=True).start()
        running = len(self._processes)
        try:
            while running:
                done = self._done.get()
                if isinstance(done, BaseException):
                    raise done
                if done is None:
                    running -= 1
                else:
                    yield done
        finally:
            self._stopped.set()
            for process in self._processes:
                process.kill()
                process.communicate()

    def _watched(self, serve: Callable[[], None]) -> None:
        try:
            serve()
        except BaseException as error:
            if not self._stopped.is_set():
                self._done.put(error)

    def _feed(self, process: "subprocess.Popen[bytes]", blocks: Iterator[Block]) -> None:
        """Hand over blocks as fast as the pipe takes them, so that the next is there when the process is done with one."""
        assert process.stdin is not None
        _send(process.stdin, self._plan.as_json())
        while (block := self._next(blocks)) is not None:
            _send(process.stdin, (block.first_row, block.count, block.text, block.rows))
        _send(process.stdin, None)

    def _collect(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        while (answer := _receive(process.stdout)) is not None:
            copy, taken, blank, findings, prints = answer
            self._done.put(NormalisedBlock(copy, taken, blank, [Finding(*found) for found in findings], prints and Prints(*prints)))
        self._done.put(None)

    def _next(self, blocks: Iterator[Block]) -> Block | None:
        with self._taking:
            return None if self._stopped.is_set() else next(blocks, None)


def _send(stream: IO[bytes], value: Any) -> None:
    data = marshal.dumps(value)
    stream.write(_SIZE.pack(len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError("the other end of the pipe is gone")
    return marshal.loads(stream.read(_SIZE.unpack(head)[0]))  # noqa: S302 - a pipe to a program of our own


def main(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Serve blocks until there are no more, or until the importing process died and its pipe with it."""
    try:
        rules = rules_of(Plan.from_json(_receive(requests)))
        while (request := _receive(requests)) is not None:
            done = rules.block(Block(*request))
            found = [(f.row, f.rejected, f.code, f.message, f.field, f.raw, f.parameters) for f in done.findings]
            _send(answers, (done.copy, done.taken, done.blank, found, done.prints and tuple(done.prints)))
        _send(answers, None)
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
