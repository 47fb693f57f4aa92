"""What people send and receive: typed contents, to and from WhatsApp's form. No Ray, no Redis, no clock."""
