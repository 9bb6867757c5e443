"""Who shows a key is looked up in one call, outside every scope, which also notes when the key was last used."""

from django.db import migrations

OPEN = """
DROP POLICY presented_key ON accounts_organization;
DROP POLICY presented_key ON accounts_apikey;
CREATE POLICY directory ON accounts_apikey TO CURRENT_USER USING (true);
CREATE FUNCTION accounts_use_api_key(presented text) RETURNS SETOF accounts_apikey
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT known.* FROM accounts_apikey AS known JOIN accounts_organization AS home ON home.id = known.organization_id
        WHERE known.key_hash = presented AND known.revoked_at IS NULL AND home.is_active
        AND (known.expires_at IS NULL OR known.expires_at > clock_timestamp());
    IF FOUND THEN
        UPDATE accounts_apikey SET last_used_at = clock_timestamp()
        WHERE key_hash = presented AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute');
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_spoken_constraints")]

    operations = [migrations.RunSQL(OPEN)]
