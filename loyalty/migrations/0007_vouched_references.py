"""The statement that posts an entry vouches for what its rows name of each other: they are not checked row by row."""

import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models


# Django drops references of one column by itself; between tenant tables they have two.
CHECKED = {
    "loyalty_entry": ["loyalty_entry_member_id_9ef113fd_fk_loyalty_member_id"],
    "loyalty_hold": ["loyalty_hold_member_id_711b7bf5_fk_loyalty_member_id"],
    "loyalty_lot": ["loyalty_lot_entry_id_bdc0fe75_fk_loyalty_entry_id", "loyalty_lot_member_id_a617b156_fk_loyalty_member_id"],
    "loyalty_lotremainder": ["loyalty_lotremainder_lot_id_bcf8b1b8_fk_loyalty_lot_entry_id"],
    "loyalty_posting": ["loyalty_posting_entry_id_86167b19_fk_loyalty_entry_id", "loyalty_posting_lot_id_92912892_fk_loyalty_lot_entry_id"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_presented_keys"),
        ("loyalty", "0006_moved_members"),
    ]

    operations = [
        *(migrations.RunSQL(f"ALTER TABLE {table} DROP CONSTRAINT {name}") for table, names in CHECKED.items() for name in names),
        migrations.AlterField(
            model_name="entry",
            name="member",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="loyalty.member",
            ),
        ),
        migrations.AlterField(
            model_name="hold",
            name="member",
            field=models.ForeignKey(
                db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="loyalty.member"
            ),
        ),
        migrations.AlterField(
            model_name="hold",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                default=accounts.tenancy.current_organization_id,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.organization",
            ),
        ),
        migrations.AlterField(
            model_name="lot",
            name="entry",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="lot",
                serialize=False,
                to="loyalty.entry",
            ),
        ),
        migrations.AlterField(
            model_name="lot",
            name="member",
            field=models.ForeignKey(
                db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="lots", to="loyalty.member"
            ),
        ),
        migrations.AlterField(
            model_name="lotremainder",
            name="lot",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="remainder",
                serialize=False,
                to="loyalty.lot",
            ),
        ),
        migrations.AlterField(
            model_name="posting",
            name="entry",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postings",
                to="loyalty.entry",
            ),
        ),
        migrations.AlterField(
            model_name="posting",
            name="lot",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postings",
                to="loyalty.lot",
            ),
        ),
    ]
