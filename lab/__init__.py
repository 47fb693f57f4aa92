"""A WhatsApp network on this machine: server, phones, contacts and faults, speaking the real protocol."""
