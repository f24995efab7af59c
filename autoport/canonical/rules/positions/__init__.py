"""Rules for operations that move elements to other places."""
