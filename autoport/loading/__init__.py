"""Models by name and from files, as the command line takes them."""
