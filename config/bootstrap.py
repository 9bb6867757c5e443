"""Builds .venv from the lock. Run by the machine's own Python, so it uses the standard library and old syntax only.

python3 config/bootstrap.py requirements.txt
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 11)
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
# Where nobody watches (a log), one line for so many packages.
STEP = 15


def main(lock: str) -> None:
    """Create .venv, install the lock and compile the translations, each only where it is not done yet."""
    if sys.version_info < NEEDED:
        sys.exit(f"Regulars needs Python 3.11 or newer; this is {sys.version.split()[0]}. Say: make PYTHON=/path/to/python3.11")
    lines, stamp = _lines(Path(lock)), VENV / f"{lock}.installed"
    wanted = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    works = _works()
    if not (works and stamp.exists() and stamp.read_text() == wanted):
        if not works:
            _create()
        _install(lock, sum("==" in line for line in lines))
        stamp.write_text(wanted)
    _compile_messages()


def _create() -> None:
    _say(f"Creating {VENV} with Python {sys.version.split()[0]}\n")
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if not made.returncode:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    output = made.stdout.decode(errors="replace")
    reason = (output.strip().splitlines() or ["no reason given"])[-1]
    if "ensurepip" in output:
        reason = "this Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
    sys.exit(f"Cannot create {VENV}: {reason}")


def _install(lock: str, total: int) -> None:
    _say(f"Installing {total} packages from {lock} into {VENV}\n")
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-r", lock]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen, last = 0, "pip said nothing"
    for raw in process.stdout or ():
        line = raw.decode(errors="replace").strip()
        last = line if line.startswith("ERROR") or (line and not last.startswith("ERROR")) else last
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            seen += 1
            _progress(f"  {min(seen, total):3d}/{total}", seen)
        elif line.startswith("Installing collected"):
            _progress("  unpacking")
    if process.wait():
        sys.exit(f"Installing {lock} failed: {last}")
    _progress("  done\n")


def _compile_messages() -> None:
    """Compile the catalogues of translations that are newer than what was made of them."""
    for source in sorted(Path("locale").glob("**/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        done = subprocess.run(
            [str(VENV / "bin" / "pybabel"), "compile", "-i", str(source), "-o", str(target)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            sys.exit(f"Compiling {source} failed: {(done.stdout.decode(errors='replace').strip().splitlines() or ['no reason given'])[-1]}")


def _progress(text: str, count: int = 0) -> None:
    if sys.stdout.isatty():
        _say(f"\r\033[K{text}")
    elif count % STEP == 0:
        _say(text.rstrip() + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _works() -> bool:
    check = f"import sys, pip; sys.exit(sys.version_info < {NEEDED})"
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-c", check], check=False).returncode == 0


def _lines(lock: Path) -> list[str]:
    lines = lock.read_text().splitlines()
    return lines + [inner for line in lines if line.startswith("-r ") for inner in _lines(lock.parent / line[3:].strip())]


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    main(sys.argv[1])
