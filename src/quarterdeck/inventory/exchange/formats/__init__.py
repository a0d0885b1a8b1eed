"""One file per format, each exporting `PLUGIN = Format(...)`."""
