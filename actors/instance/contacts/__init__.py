"""What is known of people and groups besides their messages: names, pictures, about texts, subjects."""
