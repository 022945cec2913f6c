"""THE RULES: where a call should go, decided by rules that can be tried before they are published."""
