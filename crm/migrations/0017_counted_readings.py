"""How often the reading of an import began; a constant default rewrites no row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0016_refused_in_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="readings",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
