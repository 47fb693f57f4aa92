"""One WhatsApp account: its connection, its mailbox, its outbox."""
