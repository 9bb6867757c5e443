"""Statistics on demand: whoever has written much cannot wait for autovacuum to look, and may not ANALYZE what the owner owns."""

from django.db import migrations

# Someone who analyses already does the work; so does autovacuum, some seconds later.
CREATE = """
CREATE FUNCTION crm_refresh_statistics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    ANALYZE crm_customer, crm_customerfacts, crm_consent, crm_identity, crm_visit, crm_purchase, crm_purchaseline;
EXCEPTION WHEN lock_not_available THEN
    NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0010_lean_imports")]

    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION crm_refresh_statistics")]
