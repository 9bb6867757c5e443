"""The till's API key: the product shows it once, so the demo keeps it in a file that only its user reads."""

from pathlib import Path

from accounts.actions import create_api_key, use_api_key
from accounts.audit import SYSTEM
from accounts.permissions import Permission
from accounts.tenancy import tenant

SCOPES = (Permission.CUSTOMERS_VIEW, Permission.CUSTOMERS_CHANGE, Permission.PURCHASES_VIEW, Permission.PURCHASES_CHANGE)


def till_key(organization_id: int, file: Path) -> str:
    """The key in the file if it still works, else a new one."""
    kept = file.read_text().strip() if file.exists() else ""
    access = use_api_key(kept)
    if access is not None and access.organization_id == organization_id:
        return kept
    with tenant(organization_id):
        _key, secret = create_api_key(name="Till at the counter", scopes=SCOPES, actor=SYSTEM)
    file.touch(mode=0o600)
    file.write_text(secret)
    return secret
