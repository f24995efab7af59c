"""The version of autoport."""

VERSION = "0.1.0"
