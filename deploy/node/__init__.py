"""What a container of the cluster runs: a Ray node that is emptied before it ends."""
