"""Since when the launch or the plan of a campaign breaks off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [migrations.AddField("campaign", "broken_since", models.DateTimeField(editable=False, null=True))]
