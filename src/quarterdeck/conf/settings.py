"""Django's settings, made from the option table. Options are at hand as `settings.QD["name"]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from quarterdeck.conf.options import load
from quarterdeck.core.keys import instance_key

QD_SETTINGS = load()
QD: dict[str, Any] = {name: setting.value for name, setting in QD_SETTINGS.items()}
DATA = Path(QD["data"])
PACKAGE = Path(__file__).resolve().parent.parent

SECRET_KEY = instance_key(DATA, "django")
DEBUG = False
ALLOWED_HOSTS = list(QD["allowed_hosts"])
ROOT_URLCONF = "quarterdeck.conf.urls"
ASGI_APPLICATION = "quarterdeck.conf.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "access.User"

INSTALLED_APPS = [
    "quarterdeck.conf",
    "quarterdeck.audit",
    "quarterdeck.access",
    "quarterdeck.telemetry",
    "quarterdeck.inventory",
    "quarterdeck.monitoring",
    "quarterdeck.web",
    "quarterdeck.api",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_celery_beat",
    "django_htmx",
    "ninja",
]

MIDDLEWARE = [
    "quarterdeck.api.edge.ApiEdge",
    "django.middleware.security.SecurityMiddleware",
    "quarterdeck.web.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "quarterdeck.web.middleware.OpsErrors",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "quarterdeck.web.context.shell",
            ],
        },
    }
]


def _databases(url: str) -> dict[str, dict[str, Any]]:
    parts = urlsplit(url)
    if parts.scheme in ("postgresql", "postgres"):
        return {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": unquote(parts.path.lstrip("/")),
                "USER": unquote(parts.username or ""),
                "PASSWORD": unquote(parts.password or ""),
                "HOST": parts.hostname or "",
                "PORT": parts.port or "",
                "CONN_HEALTH_CHECKS": True,
                "CONN_MAX_AGE": 60,
            }
        }
    return {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path) if parts.path else DATA / "records.sqlite3",
            # One writer at a time: take the write lock at BEGIN, so that a transaction never fails half-way with
            # SQLITE_BUSY. See https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-transaction-behavior
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
                    "PRAGMA mmap_size=268435456; PRAGMA cache_size=-32768; PRAGMA journal_size_limit=67108864;"
                ),
            },
        }
    }


DATABASES = _databases(QD["database_url"])

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = QD["language"]
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [PACKAGE / "web" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
# Built files have their content's hash in the name, so a browser may keep them for ever.
WHITENOISE_IMMUTABLE_FILE_TEST = r"/dist/.+-[A-Z0-9]{8}\.\w+$"

# Bodies that are held in memory; uploaded files are not, and have a limit of their own (`upload_max_mb`).
DATA_UPLOAD_MAX_MEMORY_SIZE = QD["request_max_mb"] << 20

SESSION_COOKIE_AGE = QD["session_hours"] * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "quarterdeck.web.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

# Kept as a name for translators: the product's own name is never translated.
PRODUCT_NAME = _("Quarterdeck")
