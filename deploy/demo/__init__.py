"""The demonstration: a lab, accounts that are paired, contacts that write, a receiver that checks."""
