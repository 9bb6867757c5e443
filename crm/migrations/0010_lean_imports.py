import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Which customer a staged row is stands in a table beside, as narrow as can be: writing it into the rows themselves
# copied every one of them. Neither table is worth autovacuum's time, and a small sample says what the planner needs.
FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION crm_drop_import_staging(job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := crm_import_staging_name(job);
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I, %I', name, format('crm_known_%s', job));
END $$;

CREATE OR REPLACE FUNCTION crm_open_import_staging(job bigint, kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := crm_import_staging_name(job);
BEGIN
    PERFORM crm_drop_import_staging(job);
    IF kind = 'customers' THEN
        EXECUTE format(
            'CREATE UNLOGGED TABLE %I (row_no bigint, external_id text COLLATE "C", email text COLLATE "C", phone text COLLATE "C",'
            ' first_name text, last_name text, search_key text, birthday date, gender text, language text, time_zone text,'
            ' street text, city text, state text, postal_code text, country text, tags text[], attributes jsonb,'
            ' preferred_location_id bigint, consents jsonb, skipped boolean) WITH (autovacuum_enabled = false)', name);
    ELSIF kind = 'purchases' THEN
        EXECUTE format(
            'CREATE UNLOGGED TABLE %I (row_no bigint, number text COLLATE "C", purchased_at timestamptz, external_id text COLLATE "C",'
            ' email text COLLATE "C", phone text COLLATE "C", first_name text, last_name text, search_key text, country text,'
            ' product_code text, description text, category text, quantity bigint, unit_price_minor bigint, amount_minor bigint,'
            ' payment_method text, location_id bigint, fingerprint uuid, customer_id bigint, skipped boolean)'
            ' WITH (autovacuum_enabled = false)', name);
    ELSE
        RAISE EXCEPTION 'no staging for %', kind;
    END IF;
    EXECUTE format('GRANT INSERT ON %I TO "{settings.APPLICATION_ROLE}"', name);
    RETURN name;
END $$;

CREATE FUNCTION crm_wall_import_table(name text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'CREATE POLICY tenant ON %I TO "{settings.APPLICATION_ROLE}"'
        ' USING (%L = (select nullif(current_setting(''app.organization_id'', true), '''')))',
        name, current_setting('app.organization_id'));
END $$;

CREATE OR REPLACE FUNCTION crm_seal_import_staging(job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET default_statistics_target = 10 AS $$
DECLARE
    name text := crm_import_staging_name(job);
    known text := format('crm_known_%s', job);
BEGIN
    PERFORM crm_wall_import_table(name);
    EXECUTE format('REVOKE INSERT ON %I FROM "{settings.APPLICATION_ROLE}"', name);
    EXECUTE format('GRANT SELECT, UPDATE ON %I TO "{settings.APPLICATION_ROLE}"', name);
    EXECUTE format('CREATE INDEX ON %I USING brin (row_no) WITH (pages_per_range = 16)', name);
    EXECUTE format('ANALYZE %I', name);
    EXECUTE format('CREATE UNLOGGED TABLE %I (row_no bigint, customer_id bigint) WITH (autovacuum_enabled = false)', known);
    PERFORM crm_wall_import_table(known);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO "{settings.APPLICATION_ROLE}"', known);
END $$;

CREATE FUNCTION crm_seal_import_known(job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET default_statistics_target = 10 AS $$
DECLARE
    known text := replace(crm_import_staging_name(job), 'staging', 'known');
BEGIN
    EXECUTE format('CREATE INDEX ON %I USING brin (row_no) WITH (pages_per_range = 16)', known);
    EXECUTE format('ANALYZE %I', known);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_spoken_constraints"), ("crm", "0009_finding_parameters")]
    operations = [
        # Its operators are not leak-proof: behind the wall no query could use it, and every import filled it.
        migrations.RemoveIndex(model_name="customer", name="customer_tags"),
        # Two references that are nearly always empty took a fifth of the time of writing a customer: see decision 2.
        migrations.AlterField(
            model_name="customer",
            name="preferred_location",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="accounts.location",
                verbose_name="preferred location",
            ),
        ),
        migrations.AlterField(
            model_name="customer",
            name="preferred_staff",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="accounts.membership",
                verbose_name="preferred staff member",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
    ]
