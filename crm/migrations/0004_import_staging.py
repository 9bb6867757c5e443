# ruff: noqa: S608 - the role put into statements is that of the settings
from django.conf import settings
from django.db import migrations

# The rows of a running import stand in a table of its own, made by these functions of the owner because COPY cannot
# write to a table with row-level security. While it is filled the application may only insert into it; sealed, it
# can be read and changed, behind the same wall as every other table.
FUNCTIONS = f"""
CREATE FUNCTION crm_import_staging_name(job bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM crm_importjob
        WHERE id = job AND organization_id = nullif(current_setting('app.organization_id', true), '')::bigint
    ) THEN
        RAISE EXCEPTION 'import % is not of this organization', job USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN format('crm_staging_%s', job);
END $$;

CREATE FUNCTION crm_drop_import_staging(job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', crm_import_staging_name(job));
END $$;

CREATE FUNCTION crm_open_import_staging(job bigint, kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := crm_import_staging_name(job);
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', name);
    IF kind = 'customers' THEN
        EXECUTE format(
            'CREATE UNLOGGED TABLE %I (row_no bigint, external_id text COLLATE "C", email text COLLATE "C", phone text COLLATE "C",'
            ' first_name text, last_name text, search_key text, birthday date, gender text, language text, time_zone text,'
            ' street text, city text, state text, postal_code text, country text, tags text[], attributes jsonb,'
            ' preferred_location_id bigint, consents jsonb, customer_id bigint, skipped boolean)', name);
    ELSIF kind = 'purchases' THEN
        EXECUTE format(
            'CREATE UNLOGGED TABLE %I (row_no bigint, number text COLLATE "C", purchased_at timestamptz, external_id text COLLATE "C",'
            ' email text COLLATE "C", phone text COLLATE "C", first_name text, last_name text, search_key text, country text,'
            ' product_code text, description text, category text, quantity bigint, unit_price_minor bigint, amount_minor bigint,'
            ' payment_method text, location_id bigint, fingerprint uuid, customer_id bigint, skipped boolean)', name);
    ELSE
        RAISE EXCEPTION 'no staging for %', kind;
    END IF;
    EXECUTE format('GRANT INSERT ON %I TO "{settings.APPLICATION_ROLE}"', name);
    RETURN name;
END $$;

CREATE FUNCTION crm_seal_import_staging(job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := crm_import_staging_name(job);
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'CREATE POLICY tenant ON %I TO "{settings.APPLICATION_ROLE}"'
        ' USING (%L = (select nullif(current_setting(''app.organization_id'', true), '''')))',
        name, current_setting('app.organization_id'));
    EXECUTE format('REVOKE INSERT ON %I FROM "{settings.APPLICATION_ROLE}"', name);
    EXECUTE format('GRANT SELECT, UPDATE ON %I TO "{settings.APPLICATION_ROLE}"', name);
    EXECUTE format('CREATE INDEX ON %I USING brin (row_no) WITH (pages_per_range = 16)', name);
    EXECUTE format('ANALYZE %I', name);
END $$;
"""
REVERSE = """
DROP FUNCTION crm_seal_import_staging;
DROP FUNCTION crm_open_import_staging;
DROP FUNCTION crm_drop_import_staging;
DROP FUNCTION crm_import_staging_name;
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0003_imports")]
    operations = [migrations.RunSQL(FUNCTIONS, REVERSE)]
