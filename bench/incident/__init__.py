"""The incident that Malote was written after, once more: what it does to others, and when it is alerted."""
