"""The socket for navigation and customer-page panels: apps fill it from a ``panels`` module of their own.

``CrmConfig.ready`` imports the ``panels`` module of every installed app; such a module calls ``register_navigation``
and ``register_panel``. So a customer page shows what ``crm`` knows nothing of.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission, access_of

Text = str | Promise


class Group(Enum):
    """Groups of the navigation, in their order; the first has no heading."""

    TODAY = ""
    CUSTOMERS = _("Customers")
    CAMPAIGNS = _("Campaigns")
    SEGMENTS = _("Segments")
    LOYALTY = _("Loyalty")
    INSIGHTS = _("Insights")
    SETTINGS = _("Settings")
    PLATFORM = _("Platform")


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page in the navigation, shown to those whose role allows ``permission``.

    ``permission=None`` shows it to platform administrators alone. ``order`` sorts within the group.
    """

    group: Group
    title: Text
    url_name: str
    icon: str
    permission: Permission | None
    order: int = 0


@dataclass(frozen=True, slots=True)
class PhoneJob:
    """A job of the counter, in the bottom bar of phones."""

    title: Text
    url_name: str
    icon: str
    permission: Permission
    order: int = 0


@dataclass(frozen=True, slots=True)
class CustomerPanel:
    """A part of the customer page: an HTML fragment at ``url_name`` (its one argument is the customer's id).

    The fragment is loaded when it comes into view and replaces itself by htmx where it likes.
    """

    title: Text
    url_name: str
    permission: Permission
    order: int = 0


@dataclass(frozen=True, slots=True)
class TodayPanel:
    """A part of the Today page: an HTML fragment at ``url_name`` (no arguments), such as what is running."""

    title: Text
    url_name: str
    permission: Permission
    order: int = 0


_navigation: list[NavigationItem] = []
_phone_jobs: list[PhoneJob] = []
_panels: list[CustomerPanel] = []
_today_panels: list[TodayPanel] = []


def register_navigation(*items: NavigationItem) -> None:
    """Add pages to the navigation."""
    _navigation.extend(items)


def register_phone_job(*jobs: PhoneJob) -> None:
    """Add jobs to the bottom bar of phones."""
    _phone_jobs.extend(jobs)


def register_panel(*panels: CustomerPanel) -> None:
    """Add panels to the customer page."""
    _panels.extend(panels)


def register_today_panel(*panels: TodayPanel) -> None:
    """Add panels to the Today page."""
    _today_panels.extend(panels)


def navigation() -> tuple[NavigationItem, ...]:
    """All registered pages, in the order of the navigation."""
    groups = list(Group)
    return tuple(sorted(_navigation, key=lambda item: (groups.index(item.group), item.order)))


def panels_for(request: HttpRequest) -> list[CustomerPanel]:
    """The panels of the customer page that this person may see."""
    return sorted(_allowed(request, _panels), key=lambda panel: panel.order)


def today_panels_for(request: HttpRequest) -> list[TodayPanel]:
    """The panels of the Today page that this person may see."""
    return sorted(_allowed(request, _today_panels), key=lambda panel: panel.order)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The navigation in the form that Unfold draws; the page we are on is the longest address that fits."""
    items = [(item, reverse(item.url_name)) for item in navigation() if _may_see(request, item)]
    here = max((url for _item, url in items if request.path.startswith(url)), key=len, default="")
    groups: list[dict[str, Any]] = []
    for item, url in items:
        if not groups or groups[-1]["title"] != item.group.value:
            groups.append({"title": item.group.value, "items": []})
        groups[-1]["items"].append({"title": item.title, "icon": item.icon, "link": url, "active": url == here})
    return groups


def shell_context(request: HttpRequest) -> dict[str, Any]:
    """What the shell shows besides the navigation (Unfold's ``GLOBAL_CALLBACK``)."""
    jobs = sorted(_allowed(request, _phone_jobs), key=lambda job: job.order)
    links = [{"title": job.title, "icon": job.icon, "url": reverse(job.url_name)} for job in jobs]
    return {"phone_jobs": [{**link, "active": link["url"] == request.path} for link in links]}


def _may_see(request: HttpRequest, item: NavigationItem) -> bool:
    if item.permission is None:
        return bool(getattr(request.user, "is_superuser", False))
    access = access_of(request)
    return access is not None and access.allows(item.permission)


def _allowed(request: HttpRequest, registered: Iterable[Any]) -> list[Any]:
    access = access_of(request)
    return [entry for entry in registered if access is not None and access.allows(entry.permission)]
