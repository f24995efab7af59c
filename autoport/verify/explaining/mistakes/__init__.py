"""Classic mistakes of a port, recognised from the two values alone: what makes one of the other is the cause."""
