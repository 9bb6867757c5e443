import accounts.tenancy
import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0003_rewards"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReferralCode",
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
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referral_codes",
                        to="loyalty.member",
                        verbose_name="loyalty member",
                    ),
                ),
                ("code", models.CharField(max_length=20, verbose_name="code")),
                ("device", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(verbose_name="created")),
            ],
            options={
                "verbose_name": "referral code",
                "verbose_name_plural": "referral codes",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "member"), name="referral_code_once"),
                    models.UniqueConstraint(fields=("organization", "code"), name="referral_code"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Referral",
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
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="referrals", to="loyalty.program", verbose_name="program"
                    ),
                ),
                (
                    "referrer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referrals",
                        to="loyalty.member",
                        verbose_name="referred by",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="loyalty_referrals",
                        to="crm.customer",
                        verbose_name="customer",
                    ),
                ),
                ("contact", models.CharField(blank=True, help_text="The invited identity, hashed as in ReferredIdentity.", max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("invited", "Invited"),
                            ("joined", "Joined"),
                            ("qualified", "Bought something"),
                            ("rewarded", "Rewarded"),
                            ("rejected", "Rejected"),
                        ],
                        default="joined",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "rejection",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("self", "Their own code"),
                            ("cycle", "In a circle"),
                            ("referred_before", "Referred before"),
                            ("refunded", "The purchase was refunded"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("address", "Same address as the referrer"),
                                ("device", "Same device as the referrer or others they brought"),
                                ("known_customer", "Had bought here before"),
                            ],
                            max_length=20,
                        ),
                        default=list,
                        size=None,
                        verbose_name="noticed",
                    ),
                ),
                ("device", models.CharField(blank=True, max_length=64)),
                ("invited_at", models.DateTimeField(null=True, verbose_name="invited")),
                ("joined_at", models.DateTimeField(null=True, verbose_name="joined")),
                (
                    "purchase",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crm.purchase",
                        verbose_name="purchase",
                    ),
                ),
                ("rewarded_at", models.DateTimeField(null=True, verbose_name="rewarded")),
                ("referrer_points", models.BigIntegerField(default=0, verbose_name="points of the referrer")),
                ("referee_points", models.BigIntegerField(default=0, verbose_name="points of the referred")),
                (
                    "referrer_entry",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.entry"
                    ),
                ),
                (
                    "referee_entry",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.entry"
                    ),
                ),
            ],
            options={
                "verbose_name": "referral",
                "verbose_name_plural": "referrals",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "qualified")), fields=["organization", "rewarded_at"], name="referral_due")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("customer__isnull", False)),
                        fields=("organization", "referrer", "customer"),
                        name="referral_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("customer__isnull", True), ("state", "invited")),
                            models.Q(("state", "invited"), _negated=True),
                            _connector="OR",
                        ),
                        name="referral_invited",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(models.Q(("state", "rejected"), _negated=True), ("rejection", "")),
                            models.Q(("state", "rejected"), models.Q(("rejection", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="referral_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReferredIdentity",
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
                    "program",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.program"),
                ),
                (
                    "referral",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="identities", to="loyalty.referral"),
                ),
                ("identity", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name": "referred identity",
                "verbose_name_plural": "referred identities",
                "constraints": [models.UniqueConstraint(fields=("organization", "program", "identity"), name="referred_identity_once")],
            },
        ),
    ]
