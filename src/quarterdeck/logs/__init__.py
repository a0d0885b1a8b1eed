"""Log search, patterns, live tail. Empty until logs are received."""
