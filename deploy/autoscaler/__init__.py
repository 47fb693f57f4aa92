"""Ray's autoscaler on ECS: what it is given, and how it starts and ends tasks."""
