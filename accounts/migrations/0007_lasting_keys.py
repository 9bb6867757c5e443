"""Keys of what records purchases and visits are never forgotten; a column with a default rewrites no row."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0006_presented_keys")]

    operations = [
        migrations.AddField(
            model_name="idempotencykey",
            name="is_lasting",
            field=models.BooleanField(db_default=False, verbose_name="never forgotten"),
        ),
        AddIndexConcurrently(
            model_name="idempotencykey",
            index=models.Index(
                condition=models.Q(("is_lasting", False)), fields=["organization", "created_at"], name="idempotency_key_due"
            ),
        ),
        RemoveIndexConcurrently(model_name="idempotencykey", name="idempotency_key_age"),
    ]
