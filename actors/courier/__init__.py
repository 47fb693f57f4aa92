"""Webhook delivery: reads mailboxes, posts to endpoints."""
