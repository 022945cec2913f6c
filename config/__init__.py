"""THE SETTINGS: read once, checked as a whole, frozen; imports nothing of ours but the errors."""
