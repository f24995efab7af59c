"""Rules for what moves elements to other places."""
