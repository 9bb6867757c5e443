from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BulkTenantModel, TenantModel


class Gender(models.TextChoices):
    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    OTHER = "other", _("Other")


class Customer(BulkTenantModel):
    """A person who comes back. Normalised on every way in (``crm.normalisation``); empty text means unknown."""

    external_id = models.CharField(_("customer number"), max_length=80, blank=True)
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    last_name = models.CharField(_("last name"), max_length=80, blank=True)
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=16, blank=True, help_text=_("With country code, such as +12025550123."))
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    gender = models.CharField(_("gender"), max_length=10, choices=Gender, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    street = models.CharField(_("street"), max_length=200, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    state = models.CharField(_("state or province"), max_length=100, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    tags = ArrayField(models.CharField(max_length=60), verbose_name=_("tags"), default=list, blank=True, db_default=[])
    attributes = models.JSONField(_("custom attributes"), default=dict, blank=True, db_default={})
    preferred_location = models.ForeignKey(
        "accounts.Location",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("preferred location"),
    )
    preferred_staff = models.ForeignKey(
        "accounts.Membership",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("preferred staff member"),
    )
    search_key = models.CharField(max_length=200, blank=True, editable=False, help_text="Folded names: see crm.normalisation.names.")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=~Q(email=""),
                name="customer_email",
                violation_error_code="email",
                violation_error_message=_("Another customer has this e-mail address."),
            ),
            models.UniqueConstraint(
                fields=["organization", "phone"],
                condition=~Q(phone=""),
                name="customer_phone",
                violation_error_code="phone",
                violation_error_message=_("Another customer has this phone number."),
            ),
            models.UniqueConstraint(
                fields=["organization", "external_id"],
                condition=~Q(external_id=""),
                name="customer_external_id",
                violation_error_code="external_id",
                violation_error_message=_("Another customer has this customer number."),
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "search_key"], name="customer_search", opclasses=["int8_ops", "text_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or self.external_id or f"#{self.pk}"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class IdentityKind(models.TextChoices):
    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    EXTERNAL = "external", _("number in another system")


class Identity(TenantModel):
    """A further name a customer is known by (an old address, the id in a till); the main ones stand on the customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(_("kind"), max_length=10, choices=IdentityKind)
    source = models.CharField(_("source"), max_length=40, blank=True)
    value = models.CharField(_("value"), max_length=254)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint(fields=["organization", "kind", "source", "value"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class AttributeType(models.TextChoices):
    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    BOOLEAN = "boolean", _("Yes or no")
    DATE = "date", _("Date")
    CHOICE = "choice", _("Choice")


class AttributeDefinition(TenantModel):
    """A custom attribute an organization declared for its customers; values of other types are refused."""

    key = models.SlugField(_("key"), max_length=40)
    label = models.CharField(_("label"), max_length=80)
    type = models.CharField(_("type"), max_length=10, choices=AttributeType)
    choices = ArrayField(models.CharField(max_length=80), verbose_name=_("choices"), default=list, blank=True)

    class Meta:
        verbose_name = _("custom attribute")
        verbose_name_plural = _("custom attributes")
        ordering = ["label"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "key"],
                name="attribute_key",
                violation_error_code="key",
                violation_error_message=_("Another attribute has this key."),
            )
        ]

    def __str__(self) -> str:
        return self.label


class CustomerFacts(BulkTenantModel):
    """What is known of a customer by counting, kept in the transaction of what is counted (``crm.facts``).

    Every customer has exactly one row. Money is in minor units of the organization's currency, refunds taken off.
    The reference is not enforced by the database: the row is only ever written beside its customer, in one transaction,
    and looking a million of them up again costs an import more than writing them.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="facts", db_constraint=False)
    visit_count = models.IntegerField(_("visits"), default=0, db_default=0)
    no_show_count = models.IntegerField(_("no-shows"), default=0, db_default=0)
    first_visit_at = models.DateTimeField(_("first visit"), null=True)
    last_visit_at = models.DateTimeField(_("last visit"), null=True)
    purchase_count = models.IntegerField(_("purchases"), default=0, db_default=0)
    refund_count = models.IntegerField(_("refunds"), default=0, db_default=0)
    spent_minor = models.BigIntegerField(_("spent"), default=0, db_default=0)
    first_purchase_at = models.DateTimeField(_("first purchase"), null=True)
    last_purchase_at = models.DateTimeField(_("last purchase"), null=True)
    message_count = models.IntegerField(_("messages sent"), default=0, db_default=0)
    open_count = models.IntegerField(_("messages opened"), default=0, db_default=0)
    click_count = models.IntegerField(_("messages clicked"), default=0, db_default=0)
    last_message_at = models.DateTimeField(_("last message"), null=True)
    last_open_at = models.DateTimeField(_("last open"), null=True)
    last_click_at = models.DateTimeField(_("last click"), null=True)

    class Meta:
        verbose_name = _("customer facts")
        verbose_name_plural = _("customer facts")

    def __str__(self) -> str:
        return f"facts of #{self.customer_id}"
