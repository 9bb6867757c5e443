import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0005_spoken_constraints'),
        ('crm', '0011_statistics'),
    ]

    operations = [
        migrations.CreateModel(
            name='Program',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('slug', models.SlugField(max_length=60, verbose_name='slug')),
                ('points_name', models.CharField(default='points', max_length=40, verbose_name='name of a point')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('closed', 'Closed')], default='draft', max_length=10, verbose_name='state')),
                ('draft', models.JSONField(editable=False, help_text='Terms that are being written; whatever they still lack.', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
            ],
            options={
                'verbose_name': 'program',
                'verbose_name_plural': 'programs',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'slug'), name='program_slug', violation_error_code='slug', violation_error_message='Another program has this slug.')],
            },
        ),
        migrations.CreateModel(
            name='Terms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='loyalty.program', verbose_name='program')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('valid_from', models.DateTimeField(verbose_name='valid from')),
                ('document', models.JSONField(verbose_name='document')),
                ('written_by', models.CharField(blank=True, max_length=160, verbose_name='written by')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
            ],
            options={
                'verbose_name': 'terms',
                'verbose_name_plural': 'terms',
                'ordering': ['-version'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'program', 'version'), name='terms_version')],
            },
        ),
        migrations.CreateModel(
            name='Member',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='loyalty.program', verbose_name='program')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='loyalty_members', to='crm.customer', verbose_name='customer')),
                ('number', models.CharField(max_length=20, verbose_name='member number')),
                ('joined_at', models.DateTimeField(verbose_name='joined')),
                ('tier', models.CharField(blank=True, max_length=40, verbose_name='tier')),
                ('tier_since', models.DateTimeField(blank=True, null=True, verbose_name='tier since')),
                ('tier_until', models.DateTimeField(blank=True, null=True, verbose_name='tier until')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
            ],
            options={
                'verbose_name': 'loyalty member',
                'verbose_name_plural': 'loyalty members',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'program', 'customer'), name='member_once', violation_error_message='The customer is a member of this program already.'), models.UniqueConstraint(fields=('organization', 'number'), name='member_number')],
            },
        ),
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('member', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='wallet', serialize=False, to='loyalty.member')),
                ('balance', models.BigIntegerField(default=0, verbose_name='balance')),
                ('held', models.BigIntegerField(default=0, verbose_name='held')),
                ('pending', models.BigIntegerField(default=0, verbose_name='pending')),
                ('debt', models.BigIntegerField(default=0, verbose_name='debt')),
                ('sequence', models.BigIntegerField(default=0)),
                ('head', models.BinaryField(default=bytes, max_length=32)),
                ('next_due_at', models.DateTimeField(null=True)),
                ('updated_at', models.DateTimeField(verbose_name='changed')),
            ],
            options={
                'verbose_name': 'wallet',
                'verbose_name_plural': 'wallets',
                'indexes': [models.Index(condition=models.Q(('next_due_at__isnull', False)), fields=['organization', 'next_due_at'], name='wallet_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('balance__gte', 0), ('debt__gte', 0), ('held__gte', 0), ('pending__gte', 0)), name='wallet_not_negative'), models.CheckConstraint(condition=models.Q(('balance', 0), ('debt', 0), _connector='OR'), name='wallet_debt_repaid_first')],
            },
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='loyalty.member')),
                ('amount', models.BigIntegerField(verbose_name='points')),
                ('captured', models.BigIntegerField(default=0, verbose_name='captured')),
                ('state', models.CharField(choices=[('open', 'Open'), ('captured', 'Captured'), ('released', 'Released'), ('lapsed', 'Lapsed')], default='open', max_length=10, verbose_name='state')),
                ('placed_at', models.DateTimeField(verbose_name='placed')),
                ('lapses_at', models.DateTimeField(verbose_name='lapses')),
                ('resolved_at', models.DateTimeField(null=True, verbose_name='resolved')),
            ],
            options={
                'verbose_name': 'hold',
                'verbose_name_plural': 'holds',
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['organization', 'member', 'lapses_at'], name='hold_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('captured__gte', 0), ('captured__lte', models.F('amount'))), name='hold_amounts')],
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('program', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.program')),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalty.member')),
                ('sequence', models.BigIntegerField()),
                ('kind', models.CharField(choices=[('earn', 'Earned'), ('mature', 'Became available'), ('cancel', 'Cancelled'), ('redeem', 'Redeemed'), ('hold', 'Reserved'), ('capture', 'Redeemed from a reservation'), ('release', 'Reservation released'), ('lapse', 'Reservation lapsed'), ('expire', 'Expired'), ('undo', 'Redemption undone'), ('clawback', 'Taken back after a refund'), ('restore', 'Given back: the refund was of something else'), ('prolong', 'Kept alive by activity'), ('give', 'Given'), ('take', 'Taken'), ('move_out', 'Moved to another member'), ('move_in', 'Moved from another member')], max_length=10, verbose_name='kind')),
                ('amount', models.BigIntegerField(help_text='Points that the entry is about, never negative.', verbose_name='points')),
                ('occurred_at', models.DateTimeField(verbose_name='when')),
                ('recorded_at', models.DateTimeField(verbose_name='recorded')),
                ('key', models.CharField(max_length=120, null=True)),
                ('body_hash', models.BinaryField(max_length=32, null=True)),
                ('terms', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.terms')),
                ('purchase', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loyalty_entries', to='crm.purchase')),
                ('hold', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalty.hold')),
                ('origin', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='followers', to='loyalty.entry')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('details', models.JSONField(default=dict)),
                ('actor_kind', models.CharField(choices=[('user', 'user'), ('api_key', 'API key'), ('system', 'system'), ('customer', 'customer')], max_length=10, verbose_name='kind of actor')),
                ('actor_id', models.BigIntegerField(null=True)),
                ('actor_label', models.CharField(blank=True, max_length=160, verbose_name='who')),
                ('previous', models.BinaryField(max_length=32)),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'verbose_name': 'ledger entry',
                'verbose_name_plural': 'ledger entries',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('purchase__isnull', False)), fields=['organization', 'purchase'], name='entry_purchase'), models.Index(condition=models.Q(('origin__isnull', False)), fields=['organization', 'origin'], name='entry_origin'), models.Index(condition=models.Q(('hold__isnull', False)), fields=['organization', 'hold'], name='entry_hold'), models.Index(fields=['organization', 'program', 'recorded_at'], name='entry_recorded')],
                'constraints': [models.UniqueConstraint(fields=('organization', 'member', 'sequence'), name='entry_sequence'), models.UniqueConstraint(condition=models.Q(('key__isnull', False)), fields=('organization', 'program', 'key'), name='entry_key'), models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('sequence__gt', 0)), name='entry_amount')],
            },
        ),
        migrations.CreateModel(
            name='Lot',
            fields=[
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='lot', serialize=False, to='loyalty.entry')),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lots', to='loyalty.member')),
                ('amount', models.BigIntegerField(verbose_name='points')),
                ('earned_at', models.DateTimeField(verbose_name='earned')),
                ('matures_at', models.DateTimeField(null=True, verbose_name='available from')),
                ('expires_at', models.DateTimeField(null=True, verbose_name='expires')),
                ('moved_from', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.lot')),
            ],
            options={
                'verbose_name': 'lot',
                'verbose_name_plural': 'lots',
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='lot_amount')],
            },
        ),
        migrations.CreateModel(
            name='LotRemainder',
            fields=[
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('lot', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='remainder', serialize=False, to='loyalty.lot')),
                ('member', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalty.member')),
                ('available', models.BigIntegerField(default=0)),
                ('pending', models.BigIntegerField(default=0)),
                ('earned_at', models.DateTimeField()),
                ('matures_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('available__gt', 0), ('pending__gt', 0), _connector='OR'), fields=['organization', 'member', 'expires_at', 'earned_at', 'lot'], name='remainder_spending_order')],
                'constraints': [models.CheckConstraint(condition=models.Q(('available__gte', 0), ('pending__gte', 0)), name='remainder_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='Posting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='loyalty.entry')),
                ('account', models.CharField(choices=[('wallet', 'wallet'), ('held', 'held'), ('pending', 'pending'), ('debt', 'debt'), ('issued', 'issued'), ('redeemed', 'redeemed'), ('expired', 'expired'), ('reversed', 'reversed'), ('moved', 'moved')], max_length=10, verbose_name='account')),
                ('lot', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='loyalty.lot')),
                ('amount', models.BigIntegerField(verbose_name='points')),
            ],
            options={
                'verbose_name': 'posting',
                'verbose_name_plural': 'postings',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['organization', 'entry'], name='posting_entry'), models.Index(condition=models.Q(('lot__isnull', False)), fields=['organization', 'lot'], name='posting_lot')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='posting_amount')],
            },
        ),
        migrations.CreateModel(
            name='BudgetUse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('organization', models.ForeignKey(db_index=False, default=accounts.tenancy.current_organization_id, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='budgets', to='loyalty.program', verbose_name='program')),
                ('rule', models.CharField(max_length=40, verbose_name='rule')),
                ('used', models.BigIntegerField(default=0, verbose_name='used')),
            ],
            options={
                'verbose_name': 'use of a budget',
                'verbose_name_plural': 'uses of budgets',
                'constraints': [models.UniqueConstraint(fields=('organization', 'program', 'rule'), name='budget_rule'), models.CheckConstraint(condition=models.Q(('used__gte', 0)), name='budget_not_negative')],
            },
        ),
    ]
