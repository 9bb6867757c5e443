"""Celery's entry points of crm. The database is the truth: a task only says "look", and may be said twice."""

from celery import shared_task

from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant
from crm.imports import actions
from crm.imports.bells import ring_for_import
from crm.imports.queries import waiting_imports


@shared_task(soft_time_limit=3_500, time_limit=3_600)
def run_import(organization_id: int, job_id: int) -> None:
    """Run an import, or go on with it; while another of the organization runs, its end rings for this one."""
    if actions.run_import(organization_id=organization_id, job_id=job_id, wait=False) is None:
        return
    with tenant(organization_id):
        waiting = waiting_imports()[:1]
    for following in waiting:
        ring_for_import(organization_id, following)


@shared_task(soft_time_limit=120, time_limit=150)
def sweep_imports() -> None:
    """Ring for imports that wait, and for those whose worker died; one that still runs holds its lock and goes on."""
    for organization_id in organization_ids():
        with going_on(organization_id):
            with tenant(organization_id):
                waiting = waiting_imports()[:1]
            for job_id in waiting:
                ring_for_import(organization_id, job_id)
