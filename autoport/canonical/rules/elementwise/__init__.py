"""Rules for what happens to every element alike."""
