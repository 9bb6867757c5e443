from accounts.models.api_key import ApiKey
from accounts.models.audit import AuditEntry
from accounts.models.idempotency import IdempotencyKey
from accounts.models.membership import Membership, MembershipLocation, Role
from accounts.models.organization import Location, Organization
from accounts.models.tenant import BulkTenantModel, TenantModel
from accounts.models.user import User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BulkTenantModel",
    "IdempotencyKey",
    "Location",
    "Membership",
    "MembershipLocation",
    "Organization",
    "Role",
    "TenantModel",
    "User",
]
