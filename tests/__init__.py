"""A package, not only a folder: `graypy` installs one of the same name, which would be found in its place."""
