"""Settings, read from the environment (docs/operator.md lists every variable)."""

from pathlib import Path
from typing import Any

import django_stubs_ext
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from config.embedded.home import APPLICATION_ROLE as EMBEDDED_APPLICATION_ROLE
from config.embedded.home import DATABASE as EMBEDDED_DATABASE
from config.embedded.home import OWNER_ROLE as EMBEDDED_OWNER_ROLE
from config.embedded.home import EmbeddedHome
from config.environment import EnvironmentVariableError, env

django_stubs_ext.monkeypatch()  # lets Django's generic classes be subscripted at run time, as the types want

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where it runs -------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
# PRODUCTION is said aloud: without it the product runs as the demo does, on loopback, with a key of its own.
PRODUCTION = env.bool("PRODUCTION", default=False)
SECRET_KEY = env("SECRET_KEY", default="" if PRODUCTION else "a key for demos and tests only; production sets its own")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
if not SECRET_KEY:
    raise EnvironmentVariableError("Set SECRET_KEY to a long random string (PRODUCTION is on).")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# How many proxies of ours stand in front; X-Forwarded-For is believed no further.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
# The address that people outside reach: tracking links and unsubscribe pages are made from it.
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")

# Threads of a web process that run pages; each keeps a connection to the database.
WEB_PAGE_THREADS = env.int("WEB_PAGE_THREADS", default=8)

# --- Database and broker -------------------------------------------------------------------------
EMBEDDED_HOME = EmbeddedHome.from_environment(BASE_DIR)
EMBEDDED_POSTGRES = not env("DATABASE_URL", default="")
EMBEDDED_VALKEY = not env("REDIS_URL", default="")


def database(variable: str, embedded_role: str) -> dict[str, Any]:
    """One entry of DATABASES: from the environment, or the embedded server."""
    if EMBEDDED_POSTGRES:
        entry: dict[str, Any] = {
            "NAME": env("EMBEDDED_DATABASE", default=EMBEDDED_DATABASE),
            "USER": embedded_role,
            "HOST": str(EMBEDDED_HOME.sockets),
        }
    else:
        entry = env.postgres(variable, default=env("DATABASE_URL"))
    return {
        **entry,
        "ENGINE": "accounts.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**entry.get("OPTIONS", {}), "connect_timeout": 5},
    }


# `default` is the application's role, `owner` owns the schema and is used by `migrate` alone.
DATABASES = {
    "default": database("DATABASE_URL", EMBEDDED_APPLICATION_ROLE),
    "owner": database("DATABASE_OWNER_URL", EMBEDDED_OWNER_ROLE),
}
APPLICATION_ROLE: str = DATABASES["default"]["USER"]
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL", default=EMBEDDED_HOME.valkey_url)
CACHES = {
    "default": {
        "BACKEND": "accounts.cache.OptionalRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "regulars",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")

# --- Applications --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "accounts",  # first: its `migrate` speaks to the owner's connection, its templates override
    "analytics",
    "campaigns",
    "loyalty",
    "segmentation",
    "messaging",
    "crm",
    "config",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.admin_app.RegularsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "jalali_suite",  # Persian font and date picker
    "django_celery_beat",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "anymail",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "config.health.HealthFirstMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.ReadableQueryMiddleware",
    "accounts.middleware.OrganizationMiddleware",
    "accounts.middleware.ShellPolicyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["accounts.templatetags.organization_forms"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.shell",
            ],
        },
    }
]

# --- People --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "accounts.passwords.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "crm:today"
LOGOUT_REDIRECT_URL = "admin:login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_CLIENT_IP_CALLABLE = "accounts.client_addresses.client_address"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# The login form says "username"; axes would look for "email", find nobody, and lock out nobody in particular.
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "accounts.views.show_lock_out"
AXES_VERBOSE = False
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- Transport security --------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
# Previews of messages stand in frames of our own pages; frame-ancestors in the CSP says the same.
SILENCED_SYSTEM_CHECKS = ["security.W019"]
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/"]  # probes come from inside, without TLS
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

# --- Languages and time --------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fa", _("Persian"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "unfold"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Files ---------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None  # elsewhere files are served from where they lie
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "config.mended_static.MendedFinder",  # first: what it mends stands in for the original
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env("MEDIA_ROOT", default=str(EMBEDDED_HOME.folder / "media")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Mail of the product itself (password resets, notices), not of campaigns ----------------------
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
vars().update(env.mail("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="regulars@localhost")

# --- Celery --------------------------------------------------------------------------------------
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TASK_SOFT_TIME_LIMIT = 3540
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A page or a sweep that rings does not wait for a broker that is away: the next sweep rings again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 7200,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
# Sending and importing hold a process for minutes; launches, sweeps and notices must not wait behind them. A worker
# started without --queues serves all three.
CELERY_TASK_QUEUES = [Queue("celery"), Queue("imports"), Queue("sending")]
CELERY_TASK_ROUTES = {"messaging.tasks.work_on_dispatch": {"queue": "sending"}, "crm.tasks.*": {"queue": "imports"}}

# --- Sending -------------------------------------------------------------------------------------
# A lost worker's messages wait this long before another worker takes them over.
SENDING_LEASE_SECONDS = env.float("SENDING_LEASE_SECONDS", default=30.0)
SENDING_RUN_SECONDS = env.float("SENDING_RUN_SECONDS", default=60.0)
SENDING_ASK_AGAIN_SECONDS = 5.0  # what was read longer ago is asked for again before it is sent: consent, suppression, address
SENDING_WORKERS = env.int("SENDING_WORKERS", default=2)  # processes that send one dispatch at the same time
SENDING_RETRY_SECONDS = env.float("SENDING_RETRY_SECONDS", default=60.0)  # the first pause; each next is three times as long
SENDING_ATTEMPTS = env.int("SENDING_ATTEMPTS", default=8)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.log_level("LOG_LEVEL", default="WARNING")},
}

from config.edges import *  # noqa: E402, F403 - Unfold, DRF and CSP have pages of their own
