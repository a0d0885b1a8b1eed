"""Programs of a page or two that run in a process of their own, by path and with the standard library (and Jinja2)
only: they start in a few hundredths of a second, and nothing of the product is loaded in what runs others' work."""
