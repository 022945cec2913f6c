"""The figures that this service promises, each measured against a named peer or floor in the same run: `python -m bench`."""
