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
INTERNAL = {"EMBEDDED_DATABASE", "WORKER_READY_FILE"}
READS = re.compile(r"(?:env(?:\.\w+)?|os\.environ(?:\.get)?|_port|database)[(\[]\"([A-Z][A-Z_]+)\"|PASSWORD_VARIABLE = \"([A-Z_]+)\"")


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


def test_the_operators_guide_lists_the_variables_that_are_read_and_no_other() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "Procfile").read_text()))
    for app in ("config", "accounts", "crm", "segmentation", "messaging", "campaigns", "loyalty", "analytics"):
        for source in (ROOT / app).rglob("*.py"):
            read |= {plain or password for plain, password in READS.findall(source.read_text())}
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", (ROOT / "docs" / "operator.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"[A-Z_]+", " ".join(rows))) == read - INTERNAL
