"""What Unfold asks of us to draw the shell (named in ``config.edges``)."""

from django.http import HttpRequest
from django.templatetags.static import static

from accounts.permissions import access_of


def site_header(request: HttpRequest) -> str:
    """The name above the navigation: the organization's, before the login ours."""
    access = access_of(request)
    seats = getattr(request, "seats", [])
    return next((seat.name for seat in seats if access and seat.organization_id == access.organization_id), "Regulars")


def site_subheader(request: HttpRequest) -> str:
    """The line below it."""
    return "Regulars" if access_of(request) else ""


def favicon(request: HttpRequest) -> str:
    """The sign in the browser's tab."""
    return static("shell/favicon.svg")


def fonts(request: HttpRequest) -> str:
    """The Persian typeface."""
    return static("jalali_suite/css/vazirmatn.css")


def day_picker_style(request: HttpRequest) -> str:
    """The dress of the Jalali day picker."""
    return static("jalali_suite/css/jalali-datepicker.css")


def day_picker(request: HttpRequest) -> str:
    """The Jalali day picker; it attaches itself to the fields of Persian pages."""
    return static("jalali_suite/js/jalali-datepicker.js")


def stylesheet(request: HttpRequest) -> str:
    """Our own style sheet; unlayered, so it wins over Unfold's in any order."""
    return static("shell/shell.css")


def script(request: HttpRequest) -> str:
    """Our own script."""
    return static("shell/shell.js")


def session_script(request: HttpRequest) -> str:
    """Keeps a page whose session has ended."""
    return static("shell/session.js")
