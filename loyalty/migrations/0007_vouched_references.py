"""The statement that posts an entry vouches for what its rows name of each other: they are not checked row by row."""

import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_presented_keys"),
        ("loyalty", "0006_moved_members"),
    ]

    operations = [
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
