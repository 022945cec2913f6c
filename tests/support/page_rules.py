"""The scripted admin page: links in several states, and a rules file with two mistakes."""

from typing import Any

from cti_bridge.domain.call import iso_utc
from tests.support.page_data import ago, links, queues

RULES = """# Which queue takes which caller: the first rule that matches wins.
version: 1
default:
  queue: support
rules:
  - name: VIP first
    when:
      tier: [platinum, gold]
    then:
      queue: vip
      priority: ten
  - name: Sales line
    when:
      did: "8002"
      hours: sale-hours
    then:
      queue: sales
"""


def admin_snapshot() -> dict[str, Any]:
    return {
        "queues": queues(),
        "links": links(counters={"events": 18_204, "forged": 3, "malformed": 1, "reconnects": 2})
        + links("refused", name="branch", detail="Authentication failed", version=None, counters={"events": 0, "reconnects": 14}),
        "routing": {
            "file": "routing.yaml",
            "version": "3f6c0e1a9b2d",
            "text": RULES,
            "loaded_at": iso_utc(ago(7200)),
            "problems": [
                {"line": 11, "column": 17, "message": "priority must be a whole number, not 'ten'", "hint": "write priority: 10"},
                {
                    "line": 15,
                    "column": 14,
                    "message": "no opening hours are named 'sale-hours'",
                    "hint": "did you mean sales-hours?",
                },
            ],
        },
    }
