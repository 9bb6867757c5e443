"""Months of points that are over are added up once."""

import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_presented_keys"),
        ("loyalty", "0011_longest_voucher"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time_zone", models.CharField(max_length=64, verbose_name="time zone")),
                ("starts_on", models.DateField(verbose_name="month")),
                ("issued", models.BigIntegerField(verbose_name="earned")),
                ("redeemed", models.BigIntegerField(verbose_name="redeemed")),
                ("expired", models.BigIntegerField(verbose_name="expired")),
                ("reversed", models.BigIntegerField(verbose_name="taken back")),
                ("deferred_minor", models.BigIntegerField(verbose_name="deferred revenue")),
                ("closed_at", models.DateTimeField(verbose_name="closed")),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        default=accounts.tenancy.current_organization_id,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closed_months",
                        to="loyalty.program",
                        verbose_name="program",
                    ),
                ),
            ],
            options={
                "verbose_name": "closed month",
                "verbose_name_plural": "closed months",
                "ordering": ["program", "-starts_on"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "program", "time_zone", "starts_on"), name="closed_month_once")
                ],
            },
        ),
    ]
