"""Every number that Malote gives of itself, to be measured again: ``python -m bench.NAME``."""
