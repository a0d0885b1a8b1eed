"""The page that adds hosts."""
