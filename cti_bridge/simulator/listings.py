"""AMI's listings of the simulated PBX: what a client asks for after connecting. Header lists as Asterisk 22.10.1 sends them."""

import time

from cti_bridge.simulator.channels import Channel
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.queues import QueueState
from cti_bridge.simulator.request import Message, Request, error, listing, success
from cti_bridge.simulator.wire import UNKNOWN

VERSION = "22.10.1"


def core_status(exchange: Exchange, request: Request) -> list[Message]:
    started = time.localtime(exchange.started_at)
    date, clock = time.strftime("%Y-%m-%d", started), time.strftime("%H:%M:%S", started)
    return [
        success(
            request,
            None,
            ("CoreStartupDate", date),
            ("CoreStartupTime", clock),
            ("CoreReloadDate", date),
            ("CoreReloadTime", clock),
            ("CoreCurrentCalls", str(len({channel.linkedid for channel in exchange.switch.channels.values()}))),
            ("CoreProcessedCalls", str(exchange.switch.processed_calls)),
        )
    ]


def core_settings(_exchange: Exchange, request: Request) -> list[Message]:
    return [
        success(
            request,
            None,
            ("AMIversion", "11.0.0"),
            ("AsteriskVersion", VERSION),
            ("SystemName", ""),
            ("CoreMaxCalls", "0"),
            ("CoreMaxLoadAvg", "0.000000"),
            ("CoreRunUser", "asterisk"),
            ("CoreRunGroup", "asterisk"),
            ("CoreMaxFilehandles", "0"),
            ("CoreRealTimeEnabled", "No"),
            ("CoreCDRenabled", "Yes"),
            ("CoreHTTPenabled", "No"),
            ("SoundsSearchCustomDir", "No"),
        )
    ]


def core_show_channels(exchange: Exchange, request: Request) -> list[Message]:
    items = (_shown_channel(exchange, request, channel) for channel in exchange.switch.channels.values())
    return listing(request, "Channels will follow", items, "CoreShowChannelsComplete")


def _shown_channel(exchange: Exchange, request: Request, channel: Channel) -> Message:
    minutes, seconds = divmod(int(exchange.now() - channel.created_at), 60)
    return [
        ("Event", "CoreShowChannel"),
        *request.tag,
        *channel.snapshot(),
        ("Application", channel.application),
        ("ApplicationData", channel.application_data),
        ("Duration", f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"),
        ("BridgeId", channel.bridge.uniqueid if channel.bridge else ""),
    ]


def status(exchange: Exchange, request: Request) -> list[Message]:
    channels = exchange.switch.channels
    name = request.get("Channel")
    if name and name not in channels:
        return [error(request, "No such channel")]
    chosen = [channels[name]] if name else list(channels.values())
    items = [_channel_status(exchange, request, channel) for channel in chosen]
    return listing(request, "Channel status will follow", items, "StatusComplete", ("Items", str(len(items))))


def _channel_status(exchange: Exchange, request: Request, channel: Channel) -> Message:
    return [
        ("Event", "Status"),
        ("Privilege", "Call"),
        *channel.snapshot(),
        ("Type", "PJSIP"),
        ("DNID", channel.dnid),
        ("EffectiveConnectedLineNum", channel.connected_number or UNKNOWN),
        ("EffectiveConnectedLineName", channel.connected_name or UNKNOWN),
        ("TimeToHangup", "0"),
        ("BridgeID", channel.bridge.uniqueid if channel.bridge else ""),
        ("Application", channel.application),
        ("Data", channel.application_data),
        ("Nativeformats", "(ulaw)"),
        ("Readformat", "ulaw"),
        ("Readtrans", ""),
        ("Writeformat", "ulaw"),
        ("Writetrans", ""),
        ("Callgroup", "0"),
        ("Pickupgroup", "0"),
        ("Seconds", str(int(exchange.now() - channel.created_at))),
        *request.tag,
    ]


def bridge_list(exchange: Exchange, request: Request) -> list[Message]:
    items = ([("Event", "BridgeListItem"), *request.tag, *one.snapshot()] for one in exchange.switch.bridges.values())
    return listing(request, "Bridge listing will follow", items, "BridgeListComplete")


def bridge_info(exchange: Exchange, request: Request) -> list[Message]:
    bridge = exchange.switch.bridges.get(request.get("BridgeUniqueid"))
    if bridge is None:
        return [error(request, "Specified BridgeUniqueid not found")]
    items = ([("Event", "BridgeInfoChannel"), *request.tag, *one.snapshot()] for one in bridge.channels)
    return listing(request, "Bridge channel listing will follow", items, "BridgeInfoComplete", *bridge.snapshot())


def parked_calls(_exchange: Exchange, request: Request) -> list[Message]:
    return listing(request, "Parked calls will follow", [], "ParkedCallsComplete", ("Total", "0"))


def confbridge_rooms(_exchange: Exchange, request: Request) -> list[Message]:
    return [error(request, "No active conferences.")]


def device_states(exchange: Exchange, request: Request) -> list[Message]:
    items = (
        [
            ("Event", "DeviceStateChange"),
            *request.tag,
            ("Device", f"PJSIP/{endpoint}"),
            ("State", exchange.switch.device_state(f"PJSIP/{endpoint}")),
        ]
        for endpoint in [*exchange.phones, exchange.world.trunk]
    )
    return listing(request, "Device State Changes will follow", items, "DeviceStateListComplete")


def queue_status(exchange: Exchange, request: Request) -> list[Message]:
    items: list[Message] = []
    for queue in _chosen(exchange, request):
        items.append([("Event", "QueueParams"), *_parameters(queue), *request.tag])
        items += (
            [("Event", "QueueMember"), *exchange.queues.member_list_headers(queue, member), *request.tag]
            for member in queue.members.values()
            if request.get("Member") in {"", member.interface}
        )
        items += (_entry(exchange, request, queue, place) for place in range(len(queue.waiting)))
    return listing(request, "Queue status will follow", items, "QueueStatusComplete")


def _entry(exchange: Exchange, request: Request, queue: QueueState, place: int) -> Message:
    entry = queue.waiting[place]
    channel = entry.channel
    # names are not escaped here, and absent ones read `unknown` without brackets
    return [
        ("Event", "QueueEntry"),
        ("Queue", queue.spec.name),
        ("Position", str(place + 1)),
        ("Channel", channel.name),
        ("Uniqueid", channel.uniqueid),
        ("CallerIDNum", channel.number or "unknown"),
        ("CallerIDName", channel.caller_name or "unknown"),
        ("ConnectedLineNum", channel.connected_number or "unknown"),
        ("ConnectedLineName", channel.connected_name or "unknown"),
        ("Wait", str(int(exchange.now()) - int(entry.joined_at))),
        ("Priority", "0"),
        *request.tag,
    ]


def queue_summary(exchange: Exchange, request: Request) -> list[Message]:
    items: list[Message] = []
    for queue in _chosen(exchange, request):
        members = list(queue.members.values())
        waits = [int(exchange.now()) - int(entry.joined_at) for entry in queue.waiting]
        items.append(
            [
                ("Event", "QueueSummary"),
                ("Queue", queue.spec.name),
                ("LoggedIn", str(len(members))),
                ("Available", str(sum(exchange.queues.available(member) for member in members))),
                ("Callers", str(len(queue.waiting))),
                ("HoldTime", str(queue.hold_time)),
                ("TalkTime", str(queue.talk_time)),
                ("LongestHoldTime", str(max(waits, default=0))),
                *request.tag,
            ]
        )
    return listing(request, "Queue summary will follow", items, "QueueSummaryComplete")


def _chosen(exchange: Exchange, request: Request) -> list[QueueState]:
    wanted = request.get("Queue")
    return [queue for queue in exchange.queues if wanted in {"", queue.spec.name}]


def _parameters(queue: QueueState) -> Message:
    return [
        ("Queue", queue.spec.name),
        ("Max", "0"),
        ("Strategy", queue.spec.strategy.value),
        ("Calls", str(len(queue.waiting))),
        ("Holdtime", str(queue.hold_time)),
        ("TalkTime", str(queue.talk_time)),
        ("Completed", str(queue.completed)),
        ("Abandoned", str(queue.abandoned)),
        ("ServiceLevel", str(queue.spec.service_level_seconds)),
        ("ServicelevelPerf", _share(queue.completed_in_time, queue.completed)),
        ("ServicelevelPerf2", _share(queue.completed_in_time + queue.abandoned_in_time, queue.completed + queue.abandoned)),
        ("Weight", str(queue.spec.weight)),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0.0:.1f}"
