"""Files to import, and the shortest way to import them."""

import io
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.audit import Actor
from accounts.models import Organization
from accounts.tenancy import tenant
from crm.imports.actions import ImportOptions, run_import, start_import
from crm.imports.fields import ImportKind
from crm.models import ImportFinding, ImportJob


def start(organization: Organization, actor: Actor, content: str | bytes | Path, *, kind: str = "customers", **options: Any) -> ImportJob:
    """Keep a file to be imported, given as its text, bytes or place."""
    data = content.read_bytes() if isinstance(content, Path) else content.encode() if isinstance(content, str) else content
    name = content.name if isinstance(content, Path) else "people.csv"
    with tenant(organization.pk):
        return start_import(
            kind=ImportKind(kind),
            file=io.BytesIO(data),
            file_name=name,
            actor=actor,
            now=timezone.now(),
            options=ImportOptions(**options),
            ring=False,
        )


def imported(organization: Organization, actor: Actor, content: str | bytes | Path, *, workers: int = 1, **options: Any) -> ImportJob:
    """Import a file to its end."""
    job = run_import(organization_id=organization.pk, job_id=start(organization, actor, content, **options).pk, workers=workers)
    assert job is not None
    assert job.state == "done", job.error
    return job


def counts(job: ImportJob) -> dict[str, int]:
    """What became of the rows, without what is nought."""
    return {name: count for name, count in job.counts.items() if count and name != "staged"}


def findings(job: ImportJob) -> list[tuple[int, bool, str]]:
    """Row, whether it was rejected, and why."""
    with tenant(int(job.organization_id or 0)):
        return list(ImportFinding.objects.filter(job=job).values_list("row", "is_rejected", "code"))
