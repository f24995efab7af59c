"""The private API of the frameworks that autoport uses, gathered: an upgrade may move any of it."""
