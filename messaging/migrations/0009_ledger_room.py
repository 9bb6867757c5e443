"""Half of the ledger's pages are kept free: each row is written once more when it is sent, in place (HOT) where there is room."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("messaging", "0008_unchecked_hits")]

    operations = [
        migrations.RunSQL("ALTER TABLE messaging_delivery SET (fillfactor = 50)", "ALTER TABLE messaging_delivery SET (fillfactor = 70)"),
    ]
