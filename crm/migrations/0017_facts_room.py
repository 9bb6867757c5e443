"""Half of the facts' pages is kept free: a campaign counts its message for nearly everybody, in place (HOT) where there is room."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("crm", "0016_refused_in_words")]

    operations = [
        migrations.RunSQL("ALTER TABLE crm_customerfacts SET (fillfactor = 50)", "ALTER TABLE crm_customerfacts RESET (fillfactor)")
    ]
