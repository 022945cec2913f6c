"""A stand-in for Asterisk 22 that speaks AMI over TCP: the demo's PBX, and a scriptable one for tests."""
