from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0015_drawn_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="error_parameters",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
    ]
