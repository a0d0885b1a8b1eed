"""Source maps: what builds upload, and the frames of minified JavaScript that are found again with it.

Builds upload by the protocol of `sentry-cli` or by our own API. A file is found by the debug id that `sentry-cli
sourcemaps inject` and the bundlers' plug-ins write into both the program and its map, else by release and address.
"""
