"""Places instances and couriers, and brings back what died."""
