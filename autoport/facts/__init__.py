"""What every step may state: places in models, and reasons. Data; `__str__` makes the words."""
