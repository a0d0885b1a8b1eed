"""Figures, not assertions: each module measures one part beside a named peer in the same run and prints ratios."""
