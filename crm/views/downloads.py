"""Customers as a download, from a page or the admin."""

from tempfile import TemporaryFile

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.exports import TableFormat
from crm.exports import export_customers
from crm.models import Customer
from crm.views.asking import asking


def format_asked(request: HttpRequest) -> TableFormat:
    """The format that the address asks for."""
    return TableFormat.XLSX if request.GET.get("format") == TableFormat.XLSX else TableFormat.CSV


def customers_download(
    request: HttpRequest, customers: QuerySet[Customer], table_format: TableFormat, *, otherwise: str
) -> HttpResponseBase:
    """The customers as a file; where the format cannot hold them, the page ``otherwise`` says so.

    The file is written before it is sent: memory stays flat however many there are, and what is audited was written.
    """
    file = TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        export_customers(customers=customers, table_format=table_format, out=file, actor=asking(request).actor)
    except ValidationError as error:
        file.close()
        messages.error(request, error.messages[0])
        return redirect(otherwise)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"customers.{table_format}", content_type=table_format.content_type)
