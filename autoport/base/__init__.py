"""What every part may use: progress bars, locks, files that are replaced whole."""
