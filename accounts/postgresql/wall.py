"""The SQL of the tenant wall (docs/decisions: the wall is in the database)."""

ORGANIZATION_SETTING = "app.organization_id"
USER_SETTING = "app.user_id"

# After a SET LOCAL the setting reads '' instead of NULL, hence nullif; the sub-select is evaluated once per query.
CURRENT_ORGANIZATION = f"(select nullif(current_setting('{ORGANIZATION_SETTING}', true), '')::bigint)"
CURRENT_USER_ID = f"(select nullif(current_setting('{USER_SETTING}', true), '')::bigint)"


def wall(table: str) -> list[str]:
    """Statements that shut ``table`` (quoted) against every organization but the current one, its owner included."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING (organization_id = {CURRENT_ORGANIZATION})"
        f" WITH CHECK (organization_id = {CURRENT_ORGANIZATION})",
    ]


def grant(table: str, role: str) -> str:
    """The application's rights on a table; what it must not do is refused by policies and triggers."""
    return f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO "{role}"'


def append_only(table: str) -> str:
    """Refuse UPDATE, DELETE and TRUNCATE of ``table`` for every role, the owner included."""
    return f"""
        CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation';
        END $$;
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_refuse_change();
    """
