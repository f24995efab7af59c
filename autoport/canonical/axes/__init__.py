"""Names of data axes: how they are followed, where they come from, what they bind."""
