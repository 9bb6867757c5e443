"""A voucher holds for a century at most; the column stays as it is."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0010_tier_version"),
    ]

    operations = [
        migrations.AlterField(
            model_name="reward",
            name="voucher_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="To the end of the last of these days. Empty: vouchers never expire.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(36_600)],
                verbose_name="days a voucher holds",
            ),
        ),
    ]
