"""What documents say can be checked: links, commands, variables, targets."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Read by ours, but set by those who start us rather than by an operator.
INTERNAL = {"EMBEDDED_DATABASE", "WORKER_READY_FILE", "PATH", "DEBUG"}
READS = re.compile(r"(?:env(?:\.\w+)?|environ(?:\.get)?|Env\(\)(?:\.\w+)?|_port|database)[(\[]\"([A-Z][A-Z_]+)\"")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document: Path) -> None:
    text = document.read_text()
    named = set(re.findall(r"manage\.py ([a-z_]+)", text)) | set(re.findall(r"^manage ([a-z_]+)", text, re.MULTILINE))
    assert named <= set(get_commands()), named - set(get_commands())


def test_every_target_of_make_is_in_its_help_and_those_in_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE)) - {"venv", "venv-dev"}
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z-]+)", said, re.MULTILINE)) == targets
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z-]+)", document.read_text())) <= targets, document


def test_every_variable_is_in_the_operators_guide() -> None:
    read: set[str] = set()
    for source in (ROOT / "config").rglob("*.py"):
        read |= set(READS.findall(source.read_text()))
    read |= set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "Procfile").read_text()))
    told = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "operator.md").read_text()))
    assert read - INTERNAL <= told, read - INTERNAL - told
