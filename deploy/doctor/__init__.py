"""``malote doctor``: looks at what Malote needs, and says what to do about what is wrong."""
