"""The day of a deploy: a cluster is brought up and rolled over, nodes are replaced, the head is killed."""
