"""The answer as data: which source tensors make up each target tensor. Knows no framework."""
