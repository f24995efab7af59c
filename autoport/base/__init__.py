"""Tools that every part may use: progress bars, locks, atomic writes of files."""
