"""Instances that move between nodes, or are killed, while messages flow; and whether anything was lost."""
