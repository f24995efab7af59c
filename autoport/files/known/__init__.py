"""What files of weights and of exported programs may hold that is read without asking whether the file is trusted."""
