"""The commands `quarterdeck` (run and look after an instance) and `qd` (talk to a running one)."""
