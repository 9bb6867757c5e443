from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    """Imports draw the keys of a range of customers at once."""

    dependencies = [("crm", "0014_events_without_checked_organization")]

    operations = [
        migrations.RunSQL(f'GRANT USAGE ON SEQUENCE crm_customer_id_seq TO "{settings.APPLICATION_ROLE}"', migrations.RunSQL.noop),
        # What the models stopped checking in 0010 was kept where a schema editor looked for references over one column.
        migrations.RunSQL(
            "ALTER TABLE crm_customer DROP CONSTRAINT IF EXISTS crm_customer_preferred_location_i_f06372b4_fk_accounts_;"
            " ALTER TABLE crm_customer DROP CONSTRAINT IF EXISTS crm_customer_preferred_staff_id_90520e65_fk_accounts_",
            migrations.RunSQL.noop,
        ),
    ]
