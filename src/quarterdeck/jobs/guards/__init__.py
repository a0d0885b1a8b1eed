"""Guard rules: which runs need a reason, a second person, or are refused."""
