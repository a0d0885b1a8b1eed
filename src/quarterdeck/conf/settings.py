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
    "quarterdeck.jobs",
    "quarterdeck.monitoring",
    "quarterdeck.monitoring.dashboards",
    "quarterdeck.errors",
    "quarterdeck.logs",
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

# allauth's backend is Django's own and also takes an e-mail address; both would hash a wrong password twice.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

# Shared by all web processes, also on several machines: sign-in attempts are counted here.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "quarterdeck_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

ACCOUNT_ADAPTER = "quarterdeck.access.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
# Per address 30 sign-ins and 10 failed ones a minute, per name 5 failed ones in 5 minutes.
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/300s/key"}
_FORMS = "quarterdeck.web.accounts.sign_in_forms"
ACCOUNT_FORMS = {
    "login": f"{_FORMS}.SignInForm",
    "change_password": f"{_FORMS}.ChangePasswordForm",
    "set_password": f"{_FORMS}.SetPasswordForm",
    "reauthenticate": f"{_FORMS}.ConfirmForm",
}
MFA_FORMS = {
    "authenticate": f"{_FORMS}.SecondFactorForm",
    "reauthenticate": f"{_FORMS}.ConfirmBySecondFactorForm",
    "activate_totp": f"{_FORMS}.ActivateForm",
}
MFA_ADAPTER = "quarterdeck.access.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Quarterdeck"
SOCIALACCOUNT_ADAPTER = "quarterdeck.access.adapters.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "provider_class": "quarterdeck.access.openid.provider.Provider",
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": "OpenID Connect",
                "client_id": QD["oidc_client_id"],
                "secret": QD["oidc_client_secret"],
                "settings": {"server_url": QD["oidc_issuer"].rstrip("/")},
            }
        ]
        if QD["oidc_issuer"]
        else [],
    }
}

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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = QD["public_url"].startswith("https://")
CSRF_TRUSTED_ORIGINS = [QD["public_url"].rstrip("/")] if QD["public_url"] else []
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "quarterdeck.web.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

# Kept as a name for translators: the product's own name is never translated.
PRODUCT_NAME = _("Quarterdeck")
