"""What files may name: all that is built or computed without asking whether the file is trusted."""
