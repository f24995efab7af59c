"""What matched operations have in common, and in what they differ. Pure graph code."""
