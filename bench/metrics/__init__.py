"""What measuring costs: on the path of an event, in each process, and in a scrape."""
