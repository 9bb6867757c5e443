"""What every edge of the API shares: callers, tenant scope, strict input, pages, idempotency keys, limits, problems."""
