"""The words of the trade as frozen types: no I/O, no clock, imported by everything above."""
