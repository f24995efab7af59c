"""How a forward pass is recorded, and what it must leave as it was."""
