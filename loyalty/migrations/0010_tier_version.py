"""Members know under which version of the terms their tier was worked out; a column that is empty everywhere rewrites no row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0009_open_lots"),
    ]

    operations = [
        migrations.AddField(
            model_name="member",
            name="tier_version",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
    ]
