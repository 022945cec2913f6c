"""The journal: what was read from each PBX, on disk before it has any effect, as rolling trace files."""
