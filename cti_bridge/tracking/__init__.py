"""From PBX events to calls: a pure function of the stream. Nothing above this package knows Asterisk's event names."""
