"""What a courier delivers: how fast, how little a bad endpoint harms the others, and that nothing is lost."""
