"""THE RECORD: accounts, interactions, agents and sessions; the only package that knows SQL."""
