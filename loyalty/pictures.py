"""Pictures people upload: what counts as one, and where it is kept."""

import secrets
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.files import File
from django.utils.translation import gettext as _

MAX_BYTES: Final = 2 * 1024 * 1024
_HEAD: Final = 12


def validate_picture(file: File[Any]) -> None:
    """Refuse what is too large, or is no PNG, JPEG or WebP by its first bytes; names and declared types prove nothing.

    Raises:
        ValidationError: see above.
    """
    if getattr(file, "_committed", False):
        return  # it lies in the storage already, and was looked at on its way there
    if file.size > MAX_BYTES:
        raise ValidationError(_("The picture is larger than %(most)s MB.") % {"most": MAX_BYTES // 1024 // 1024}, code="picture_size")
    if not _extension(file):
        raise ValidationError(_("The picture has to be a PNG, JPEG or WebP file."), code="picture_type")


def picture_path(row: Any, name: str) -> str:
    """Where the ``picture`` of a row is kept: by organization, under a name that says nothing, with what it is as extension."""
    return f"{row.organization_id}/{row._meta.model_name}/{secrets.token_hex(16)}{_extension(row.picture)}"


def _extension(file: File[Any]) -> str:
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if head.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    return ""
