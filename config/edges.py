"""Settings of the edges: the admin shell, the API and the content security policy."""

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config.environment import env

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # The shell alone adds 'unsafe-eval' for Alpine (accounts.middleware.ShellPolicyMiddleware).
        "script-src": [SELF],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}

UNFOLD = {
    "SITE_TITLE": "Regulars",
    "SITE_HEADER": "accounts.shell.site_header",
    "SITE_SUBHEADER": "accounts.shell.site_subheader",
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "accounts.shell.favicon"}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "STYLES": ["accounts.shell.fonts", "accounts.shell.day_picker_style", "accounts.shell.stylesheet"],
    "SCRIPTS": ["accounts.shell.day_picker", "accounts.shell.script", "accounts.shell.session_script"],
    "SIDEBAR": {"navigation": "crm.panels.sidebar"},
    "GLOBAL_CALLBACK": "crm.panels.shell_context",
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "accounts.api.authentication.SessionAccessAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.HoldsPermission"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttles.CallerThrottle"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "accounts.api.negotiation.AlwaysJSON",
    "DEFAULT_PAGINATION_CLASS": "accounts.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["accounts.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "accounts.api.schema.OperationSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "accounts.api.errors.problem_response",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=3_000)
API_MAX_UPLOAD_BYTES = env.int("API_MAX_UPLOAD_BYTES", default=512 * 1024**2)

SPECTACULAR_SETTINGS = {
    "TITLE": _("Regulars API"),
    "DESCRIPTION": _("Customers, what they do, segments and campaigns. Guide: docs/api.md."),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "Channel": "crm.models.Channel",
        "Purpose": "crm.models.Purpose",
        "ConsentState": "crm.models.ConsentState",
        "VisitState": "crm.models.VisitState",
        "Gender": "crm.models.Gender",
        "PaymentMethod": "crm.models.PaymentMethod",
        "PurchaseKind": "crm.models.PurchaseKind",
        "SegmentKind": "segmentation.models.SegmentKind",
        "CampaignState": "campaigns.models.CampaignState",
        "AudienceMode": "campaigns.models.AudienceMode",
        "SenderKind": "messaging.models.SenderKind",
        "DeliveryState": "messaging.models.DeliveryState",
        "ProgramState": "loyalty.models.ProgramState",
        "HoldState": "loyalty.models.HoldState",
        "VoucherState": "loyalty.models.VoucherState",
        "OperationState": "loyalty.models.OperationState",
        "EntryKind": "loyalty.models.EntryKind",
        "RewardKind": "loyalty.models.RewardKind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
