"""What `sentry-cli` and the bundlers' plug-ins ask of a Sentry server when a build is uploaded, below /api/0/.

The organization may be any name; a project is the number at the end of its DSN. Proved with sentry-cli 3.
See https://docs.sentry.io/api/ and https://github.com/getsentry/sentry-cli/tree/master/src/api
"""
