"""Rules for structures of several layers: attention, experts, fused projections, loops."""
