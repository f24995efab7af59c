"""Rules that make two spellings of one computation one operation; one rule a file."""
