from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0007_referrals")]

    operations = [
        migrations.AddField(
            model_name="program",
            name="draft",
            field=models.JSONField(editable=False, help_text="Terms that are being written; whatever they still lack.", null=True),
        ),
    ]
