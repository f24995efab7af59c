"""Facts that every step may state, as data: places in models, and reasons. `__str__` makes the words."""
