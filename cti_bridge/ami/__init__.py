"""Asterisk Manager Interface: bytes in, checked events out; the only package that knows the protocol's bytes."""
