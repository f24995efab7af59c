"""Why two runs differ: hypotheses, each tested by computing, and what mends them."""
