"""Job templates: work that is prepared once, with a form for what differs from one time to the next."""
