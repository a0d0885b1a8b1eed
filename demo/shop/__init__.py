"""Three services with a database, as their developers would write them; nothing here knows of Quarterdeck."""
