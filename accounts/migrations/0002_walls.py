"""What the tenant wall cannot derive from a model: the tables that are read before an organization is chosen."""

from django.conf import settings
from django.db import migrations

from accounts.postgresql.wall import CURRENT_ORGANIZATION, CURRENT_USER_ID, append_only

CURRENT_API_KEY = "(select nullif(current_setting('app.api_key_hash', true), ''))"
ORGANIZATION = f"""
ALTER TABLE accounts_organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts_organization FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON accounts_organization USING (id = {CURRENT_ORGANIZATION}) WITH CHECK (id = {CURRENT_ORGANIZATION});
CREATE POLICY own_memberships ON accounts_organization FOR SELECT
    USING (id IN (SELECT organization_id FROM accounts_membership WHERE user_id = {CURRENT_USER_ID} AND is_active));
CREATE POLICY presented_key ON accounts_organization FOR SELECT
    USING (id IN (SELECT organization_id FROM accounts_apikey WHERE key_hash = {CURRENT_API_KEY}));
CREATE POLICY directory ON accounts_organization FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY own_memberships ON accounts_membership FOR SELECT USING (user_id = {CURRENT_USER_ID});
CREATE POLICY own_memberships ON accounts_membershiplocation FOR SELECT
    USING (membership_id IN (SELECT id FROM accounts_membership WHERE user_id = {CURRENT_USER_ID}));
CREATE POLICY presented_key ON accounts_apikey FOR SELECT USING (key_hash = {CURRENT_API_KEY});
GRANT USAGE ON SEQUENCE accounts_organization_id_seq TO "{settings.APPLICATION_ROLE}";
"""

# Sweeps and commands have to know which organizations there are; ids are all they learn outside a scope.
DIRECTORY = """
CREATE FUNCTION accounts_organization_ids() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT id FROM accounts_organization WHERE is_active ORDER BY id $$;
CREATE FUNCTION accounts_organization_id_by_slug(wanted text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT id FROM accounts_organization WHERE slug = wanted $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(ORGANIZATION, migrations.RunSQL.noop),
        migrations.RunSQL(DIRECTORY, "DROP FUNCTION accounts_organization_ids; DROP FUNCTION accounts_organization_id_by_slug"),
        migrations.RunSQL(append_only("accounts_auditentry"), migrations.RunSQL.noop),
    ]
