"""Spending from a lot rewrites no index entry as long as something is left, and finds room where the row stood."""

from django.db import migrations, models

ROOM = "ALTER TABLE {} SET (fillfactor = 80)"


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0008_undone_vouchers"),
    ]

    operations = [
        *(migrations.RunSQL(ROOM.format(table), migrations.RunSQL.noop) for table in ("loyalty_lotremainder", "loyalty_wallet")),
        migrations.RemoveIndex(
            model_name="lotremainder",
            name="remainder_spending_order",
        ),
        migrations.AddField(
            model_name="lotremainder",
            name="is_open",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Q(("available__gt", 0), ("pending__gt", 0), _connector="OR"),
                output_field=models.BooleanField(),
            ),
        ),
        migrations.AddIndex(
            model_name="lotremainder",
            index=models.Index(
                condition=models.Q(("is_open", True)),
                fields=["organization", "member", "expires_at", "earned_at", "lot"],
                name="remainder_spending_order",
            ),
        ),
    ]
