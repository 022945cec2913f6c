"""The way of a pop, measured from outside: a feeder (the PBX), the service or a bare relay, and the agents' browsers, each a
process of its own. All stamps are of one monotonic clock; the feeder takes its stamp before it writes, so a service that falls
behind is not spared (no coordinated omission).
"""
