"""What campaigns earned over a period is asked several times by one page."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("campaigns", "0002_broken_since")]

    operations = [AddIndexConcurrently("attribution", models.Index(fields=["organization", "purchased_at"], name="attribution_time"))]
