"""Rules for operations that treat every element alike."""
