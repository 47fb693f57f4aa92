"""What files do to the text beside them."""
