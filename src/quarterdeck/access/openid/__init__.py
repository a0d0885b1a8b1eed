"""Sign-in by an OpenID Connect provider: django-allauth's, with the checks of the ID token that it leaves out."""
