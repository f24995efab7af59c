"""Rules for what several layers make together: attention, experts, fused projections, loops."""
