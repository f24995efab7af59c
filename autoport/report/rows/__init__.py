"""The one model of rows and drawings that every view shows."""
