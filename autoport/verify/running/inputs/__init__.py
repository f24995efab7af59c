"""What the inputs of both models may hold, as the models themselves tell."""
