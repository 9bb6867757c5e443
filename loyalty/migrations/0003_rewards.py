import accounts.tenancy
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import loyalty.pictures
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0002_ledger_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reward",
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="rewards", to="loyalty.program", verbose_name="program"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("description", models.TextField(blank=True, max_length=2000, verbose_name="description")),
                (
                    "picture",
                    models.FileField(
                        blank=True,
                        help_text="PNG, JPEG or WebP, up to 2 MB.",
                        max_length=200,
                        upload_to=loyalty.pictures.picture_path,
                        validators=[loyalty.pictures.validate_picture],
                        verbose_name="picture",
                    ),
                ),
                (
                    "picture_url",
                    models.URLField(blank=True, help_text="Used when no picture is uploaded.", verbose_name="address of a picture"),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("product", "Product"), ("service", "Service"), ("discount", "Discount"), ("experience", "Experience")],
                        default="product",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "points",
                    models.BigIntegerField(
                        help_text="0: it cannot be bought with points, only given by a full stamp card.",
                        validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1000000000000)],
                        verbose_name="points",
                    ),
                ),
                (
                    "cash_minor",
                    models.BigIntegerField(
                        default=0,
                        help_text="Money to be paid beside the points.",
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="to be paid",
                    ),
                ),
                (
                    "stock",
                    models.PositiveIntegerField(
                        blank=True, help_text="How many there are in all. Empty: no limit.", null=True, verbose_name="stock"
                    ),
                ),
                ("sold", models.PositiveIntegerField(default=0, editable=False, verbose_name="sold")),
                ("valid_from", models.DateTimeField(blank=True, null=True, verbose_name="valid from")),
                ("valid_until", models.DateTimeField(blank=True, null=True, verbose_name="valid until")),
                (
                    "limit_per_member",
                    models.PositiveIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name="limit per member"
                    ),
                ),
                (
                    "limit_per_period",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="limit per member and period",
                    ),
                ),
                (
                    "limit_period",
                    models.CharField(
                        choices=[("day", "Day"), ("month", "Month"), ("year", "Year")],
                        default="month",
                        max_length=10,
                        verbose_name="period",
                    ),
                ),
                (
                    "tiers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        help_text="Empty: for members of every tier.",
                        size=None,
                        verbose_name="tiers",
                    ),
                ),
                (
                    "voucher_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="To the end of the last of these days. Empty: vouchers never expire.",
                        null=True,
                        verbose_name="days a voucher holds",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
            ],
            options={
                "verbose_name": "reward",
                "verbose_name_plural": "rewards",
                "ordering": ["points", "name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("stock__isnull", True), ("sold__lte", models.F("stock")), _connector="OR"),
                        name="reward_sold_in_stock",
                        violation_error_code="stock",
                        violation_error_message="More than this stock is sold already.",
                    ),
                    models.CheckConstraint(condition=models.Q(("cash_minor__gte", 0), ("points__gte", 0)), name="reward_price"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Voucher",
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
                    "reward",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="vouchers", to="loyalty.reward", verbose_name="reward"
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="vouchers",
                        to="loyalty.member",
                        verbose_name="loyalty member",
                    ),
                ),
                ("code", models.CharField(max_length=20, verbose_name="code")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("reserved", "Reserved"),
                            ("issued", "Issued"),
                            ("used", "Used"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="issued",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("points", models.BigIntegerField(default=0, verbose_name="points")),
                ("cash_minor", models.BigIntegerField(default=0, verbose_name="to be paid")),
                (
                    "entry",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="vouchers", to="loyalty.entry"
                    ),
                ),
                (
                    "hold",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="vouchers", to="loyalty.hold"
                    ),
                ),
                ("issued_at", models.DateTimeField(verbose_name="issued")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="expires")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used")),
                (
                    "used_location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.location",
                        verbose_name="used at",
                    ),
                ),
                ("used_key", models.CharField(max_length=120, null=True)),
            ],
            options={
                "verbose_name": "voucher",
                "verbose_name_plural": "vouchers",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "issued")), fields=["organization", "expires_at"], name="voucher_expiring")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "code"), name="voucher_code"),
                    models.UniqueConstraint(
                        condition=models.Q(("entry__isnull", False)), fields=("organization", "entry"), name="voucher_entry"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("hold__isnull", False)), fields=("organization", "hold"), name="voucher_hold"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("used_key__isnull", False)), fields=("organization", "used_key"), name="voucher_used_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "used"), ("used_at__isnull", False), ("used_key__isnull", False)),
                            models.Q(models.Q(("state", "used"), _negated=True), ("used_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="voucher_used",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StampCard",
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
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stamp_cards",
                        to="loyalty.program",
                        verbose_name="program",
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "size",
                    models.PositiveSmallIntegerField(
                        default=10,
                        validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                        verbose_name="stamps",
                    ),
                ),
                (
                    "stamped_for",
                    models.CharField(
                        choices=[
                            ("visit", "Each visit"),
                            ("purchase", "Each purchase"),
                            ("product", "Each piece of some products"),
                            ("category", "Each piece of some categories"),
                        ],
                        default="visit",
                        max_length=10,
                        verbose_name="a stamp for",
                    ),
                ),
                (
                    "products",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), blank=True, default=list, size=None, verbose_name="product codes"
                    ),
                ),
                (
                    "categories",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=80), blank=True, default=list, size=None, verbose_name="categories"
                    ),
                ),
                (
                    "least_minor",
                    models.BigIntegerField(
                        default=0,
                        help_text="Purchases below it get no stamp.",
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="smallest purchase",
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stamp_cards", to="loyalty.reward", verbose_name="reward"
                    ),
                ),
                ("valid_from", models.DateTimeField(blank=True, null=True, verbose_name="valid from")),
                ("valid_until", models.DateTimeField(blank=True, null=True, verbose_name="valid until")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
            ],
            options={
                "verbose_name": "stamp card",
                "verbose_name_plural": "stamp cards",
                "ordering": ["name"],
                "constraints": [models.CheckConstraint(condition=models.Q(("size__gt", 0)), name="stamp_card_size")],
            },
        ),
        migrations.CreateModel(
            name="MemberCard",
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
                    "card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="member_cards",
                        to="loyalty.stampcard",
                        verbose_name="stamp card",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cards",
                        to="loyalty.member",
                        verbose_name="loyalty member",
                    ),
                ),
                ("stamps", models.PositiveIntegerField(default=0, verbose_name="stamps")),
            ],
            options={
                "verbose_name": "member's stamp card",
                "verbose_name_plural": "members' stamp cards",
                "ordering": ["-id"],
                "constraints": [models.UniqueConstraint(fields=("organization", "card", "member"), name="member_card_once")],
            },
        ),
        migrations.CreateModel(
            name="Stamp",
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
                    "member_card",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="sources", to="loyalty.membercard"
                    ),
                ),
                ("key", models.CharField(max_length=120)),
                ("count", models.PositiveSmallIntegerField(verbose_name="stamps")),
                ("stamped_at", models.DateTimeField(verbose_name="when")),
            ],
            options={
                "verbose_name": "stamp",
                "verbose_name_plural": "stamps",
                "ordering": ["-id"],
                "constraints": [models.UniqueConstraint(fields=("organization", "member_card", "key"), name="stamp_once")],
            },
        ),
        migrations.CreateModel(
            name="FilledCard",
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
                    "member_card",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="filled", to="loyalty.membercard"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "voucher",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="filled_cards",
                        to="loyalty.voucher",
                        verbose_name="voucher",
                    ),
                ),
                ("filled_at", models.DateTimeField(verbose_name="when")),
            ],
            options={
                "verbose_name": "full stamp card",
                "verbose_name_plural": "full stamp cards",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "member_card", "number"), name="filled_card_once"),
                    models.UniqueConstraint(fields=("organization", "voucher"), name="filled_card_voucher"),
                ],
            },
        ),
    ]
