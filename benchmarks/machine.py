"""The machine that is measured on, and the programs that the references need."""

import os
import platform
import shutil
import sys
from pathlib import Path

from tests.machine import install_packages

# postfix brings smtp-source and smtp-sink, wrk makes web requests.
PROGRAMS = {"smtp-sink": "postfix", "wrk": "wrk"}


def describe_machine() -> str:
    """Processor, cores, memory and versions, in one line."""
    return f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, Linux {platform.release()}, Python {platform.python_version()}"


def install_programs() -> None:
    """Install what is missing where apt and root allow; else say what cannot be measured."""
    missing = [package for program, package in PROGRAMS.items() if find_program(program) is None]
    if missing and not install_packages(*missing):
        sys.stdout.write(f"!! Not on this machine and cannot be installed: {', '.join(missing)}; what needs them fails or is left out.\n")


def find_program(name: str) -> str | None:
    """The path of a program; Debian keeps postfix's where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
