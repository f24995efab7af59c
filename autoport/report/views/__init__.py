"""Views of a report, one a file."""
