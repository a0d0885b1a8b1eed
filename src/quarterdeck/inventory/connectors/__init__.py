"""Sources of the inventory: one file per source, each exporting `PLUGIN = Connector(...)`."""
