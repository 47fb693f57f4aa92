"""The actors of Malote and what they share."""
