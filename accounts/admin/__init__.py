from accounts.admin import api_keys, audit, idempotency, members, organization, platform

__all__ = ["api_keys", "audit", "idempotency", "members", "organization", "platform"]
