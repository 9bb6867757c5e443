"""Room on the ledger's pages, so that writing results back updates in place (HOT) instead of growing the indexes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.RunSQL("ALTER TABLE messaging_delivery SET (fillfactor = 70)", "ALTER TABLE messaging_delivery RESET (fillfactor)"),
        migrations.RunSQL("ALTER TABLE messaging_chunk SET (fillfactor = 50)", "ALTER TABLE messaging_chunk RESET (fillfactor)"),
    ]
