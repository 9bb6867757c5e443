import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models


# What a till said never changes, and it is answered once.
GUARD = """
CREATE FUNCTION loyalty_tilloperation_answered_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'waiting' OR NEW.state = 'waiting'
        OR (NEW.organization_id, NEW.id, NEW.till_id, NEW.sequence, NEW.key, NEW.kind, NEW.body, NEW.body_hash, NEW.occurred_at, NEW.received_at)
        IS DISTINCT FROM
        (OLD.organization_id, OLD.id, OLD.till_id, OLD.sequence, OLD.key, OLD.kind, OLD.body, OLD.body_hash, OLD.occurred_at, OLD.received_at)
    THEN
        RAISE EXCEPTION 'what a till said is kept, and answered once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER loyalty_tilloperation_answered_once BEFORE UPDATE OR DELETE ON loyalty_tilloperation
    FOR EACH ROW EXECUTE FUNCTION loyalty_tilloperation_answered_once();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0004_referrals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Till",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                ("code", models.CharField(max_length=60, verbose_name="code")),
                ("applied", models.BigIntegerField(default=0, verbose_name="answered up to")),
                ("first_seen_at", models.DateTimeField(verbose_name="first seen")),
            ],
            options={
                "verbose_name": "till",
                "verbose_name_plural": "tills",
                "ordering": ["code"],
                "constraints": [models.UniqueConstraint(fields=("organization", "code"), name="till_code")],
            },
        ),
        migrations.CreateModel(
            name="TillOperation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                    "till",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operations",
                        to="loyalty.till",
                        verbose_name="till",
                    ),
                ),
                ("sequence", models.BigIntegerField(verbose_name="number")),
                ("key", models.CharField(max_length=120, verbose_name="key")),
                ("kind", models.CharField(max_length=20, verbose_name="kind")),
                ("body", models.JSONField(verbose_name="what was asked")),
                ("body_hash", models.BinaryField(max_length=32)),
                ("occurred_at", models.DateTimeField(verbose_name="when")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting for an earlier one"), ("applied", "Applied"), ("refused", "Refused")],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("answer", models.JSONField(null=True, verbose_name="answer")),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered")),
            ],
            options={
                "verbose_name": "operation of a till",
                "verbose_name_plural": "operations of tills",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "till", "sequence"), name="till_operation_sequence"),
                    models.UniqueConstraint(fields=("organization", "till", "key"), name="till_operation_key"),
                    models.CheckConstraint(condition=models.Q(("sequence__gt", 0)), name="till_operation_number"),
                ],
            },
        ),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
    ]
