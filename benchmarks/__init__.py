"""What autoport costs, and how it does beside other ways to carry weights."""
