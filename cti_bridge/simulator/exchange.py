"""The simulated PBX without its AMI port: switch, queues, dialplan and phones of one world, wired together."""

import time
from collections.abc import Callable
from random import Random

from cti_bridge.simulator.dialplan import Dialplan, Spawn
from cti_bridge.simulator.lines import Lines
from cti_bridge.simulator.phones import Phone
from cti_bridge.simulator.queue_app import QueueApp
from cti_bridge.simulator.queues import Queues
from cti_bridge.simulator.switch import Emit, Switch
from cti_bridge.simulator.world import World


class Exchange:
    """`spawn(coroutine, name)` runs a task for a channel; `emit` takes every event; `now` gives Unix seconds."""

    def __init__(self, *, world: World, random: Random, emit: Emit, spawn: Spawn, now: Callable[[], float] = time.time) -> None:
        self.world = world
        self.now = now
        self.spawn = spawn
        self.started_at = now()
        self.switch = Switch(emit=emit, now=now, random=random)
        self.queues = Queues(switch=self.switch, world=world)
        self.dialplan = Dialplan(
            switch=self.switch, world=world, queues=QueueApp(switch=self.switch, queues=self.queues), spawn=spawn
        )
        self.lines = Lines(switch=self.switch, dialplan=self.dialplan)
        self.phones = {
            agent.extension: Phone(agent=agent, switch=self.switch, dialplan=self.dialplan, lines=self.lines)
            for agent in world.agents
        }
