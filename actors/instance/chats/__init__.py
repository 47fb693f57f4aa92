"""The chats of an instance: what is told of each, kept beside the events."""
