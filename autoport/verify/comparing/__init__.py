"""Where two runs are compared, and how."""
