"""The media room: files on their way to WhatsApp and from it, checked, converted, kept and handed out."""
