"""The demo's customers: who they are, and what has passed between them and the company by every channel. Frozen, invented.

Numbers come from ranges kept for drama and documentation (020 7946 0xxx, 0161 496 0xxx, +1 212 555 01xx …) and are valid in
their number plans. Two accounts share a household's number; some callers are nobody's number, some show none.
"""

from dataclasses import dataclass

from cti_bridge.domain.account import Tier
from cti_bridge.domain.interaction import Channel

PHONE, EMAIL, WEB = Channel.PHONE, Channel.EMAIL, Channel.WEB
FAX, LETTER, VISIT = Channel.FAX, Channel.LETTER, Channel.VISIT


@dataclass(frozen=True, slots=True)
class PastContact:
    """A contact `days_ago`; `outbound` where the company made it; `agent` and `queue` of a phone call."""

    days_ago: float
    channel: Channel
    subject: str
    disposition: str | None = None
    note: str | None = None
    agent: str | None = None
    queue: str | None = None
    minutes: int = 0
    outbound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """`phones` as somebody wrote them down, `callers_id` is the form in which the trunk presents the first of them."""

    name: str
    phones: tuple[str, ...]
    language: str = "en"
    company: str | None = None
    tier: Tier | None = None
    email: str | None = None
    note: str | None = None
    history: tuple[PastContact, ...] = ()

    @property
    def callers_id(self) -> str:
        return "".join(character for character in self.phones[0] if character.isdigit() or character == "+")


def _call(days: float, subject: str, outcome: str, agent: str, queue: str = "support", *, minutes: int = 4) -> PastContact:
    return PastContact(days, PHONE, subject, outcome, agent=agent, queue=queue, minutes=minutes)


CUSTOMERS: tuple[Customer, ...] = (
    Customer(
        name="Eleanor Whitfield",
        phones=("020 7946 0018", "+44 161 496 0018"),
        company="Whitfield & Sons Joinery",
        tier=Tier.PLATINUM,
        email="eleanor@whitfield-joinery.example",
        note="Prefers a call before nine. Allergic to being put on hold.",
        history=(
            _call(2, "Delivery of order 4471 a day late", "Apologised, refund agreed", "1006"),
            PastContact(9, EMAIL, "Order 4471: 12 sheets of birch ply", "Order taken"),
            PastContact(40, LETTER, "Renewal of the yearly contract", "Signed"),
            PastContact(95, VISIT, "Workshop visit with samples", "Very satisfied", "Interested in oak veneer", outbound=True),
        ),
    ),
    Customer(
        name="王建国",
        phones=("020 7946 0121",),
        language="zh",
        company="金龙贸易有限公司",
        tier=Tier.PLATINUM,
        email="wang@jinlong.example",
        note="请用中文沟通。付款及时。",
        history=(
            _call(1, "询问发票 INV-2207", "已补发发票", "1002", "vip"),
            PastContact(6, FAX, "采购订单 PO-889", "已确认"),
            _call(33, "要求更换破损货物", "已安排换货", "1004", "vip", minutes=9),
        ),
    ),
    Customer(
        name="Priya Natarajan",
        phones=("0161 496 0277",),
        company="Northlight Clinics",
        tier=Tier.GOLD,
        email="p.natarajan@northlight.example",
        history=(
            _call(4, "Second invoice for the same month", "Credit note sent", "1005"),
            PastContact(30, WEB, "Call-back requested about maintenance", "Called back"),
        ),
    ),
    Customer(
        name="李娜",
        phones=("0117 496 0033",),
        language="zh",
        tier=Tier.GOLD,
        email="lina@mail.example",
        history=(
            PastContact(3, WEB, "网上提交退货申请", "已受理"),
            _call(3, "确认退货地址", "已解决", "1004"),
        ),
    ),
    Customer(
        name="Tom Aldridge",
        phones=("0131 496 0145",),
        tier=Tier.IRON,
        history=(_call(11, "How to change the delivery address", "Explained", "1003", "sales", minutes=3),),
    ),
    Customer(
        name="Grace Aldridge",
        phones=("0131 496 0145", "+44 131 496 0146"),
        tier=Tier.GOLD,
        email="grace@aldridge.example",
        note="Shares the household's number with Tom.",
        history=(
            _call(18, "Garden furniture, wants a quote for eight chairs", "Quote sent", "1001", "sales", minutes=7),
            PastContact(17, EMAIL, "Quote Q-318", "Sent", outbound=True),
        ),
    ),
    Customer(
        name="陈志明",
        phones=("0121 496 0210",),
        language="zh",
        company="明华餐饮",
        tier=Tier.GOLD,
        note="每周五订货。",
        history=(
            _call(7, "每周订货", "已下单", "1004", "sales"),
            _call(14, "每周订货", "已下单", "1004", "sales"),
            PastContact(20, FAX, "更新后的供货清单", "已存档"),
        ),
    ),
    Customer(
        name="Zoë Kessler",
        phones=("+49 30 23125 118",),
        language="de",
        company="Kessler Messtechnik GmbH",
        tier=Tier.GOLD,
        email="zoe.kessler@messtechnik.example",
        history=(
            PastContact(5, EMAIL, "Calibration certificate missing", "Sent"),
            _call(52, "Delivery times to Berlin", "Answered", "1005", "sales", minutes=5),
        ),
    ),
    Customer(
        name="Marcus O'Connell",
        phones=("020 7946 0333",),
        company="O'Connell Haulage",
        tier=Tier.IRON,
        history=(_call(25, "Complaint: driver was rude", "Complaint taken, case opened", "1007", minutes=11),),
    ),
    Customer(
        name="刘洋",
        phones=("0113 496 0402",),
        language="zh",
        tier=Tier.LEAD,
        history=(PastContact(8, WEB, "索取产品目录", "已寄出"),),
    ),
    Customer(
        name="Hannah Brightwell",
        phones=("0114 496 0056",),
        tier=Tier.LEAD,
        email="hannah@brightwell.example",
        history=(PastContact(2, WEB, "Asked for a call about prices", "Call back tomorrow"),),
    ),
    Customer(
        name="赵敏",
        phones=("029 2018 0177",),
        language="zh",
        company="敏达设计",
        tier=Tier.GOLD,
        history=(
            _call(10, "修改送货时间", "已修改", "1008", "vip"),
            PastContact(60, VISIT, "来访展厅", "满意"),
        ),
    ),
    Customer(
        name="James Okafor",
        phones=("0151 496 0291",),
        company="Mersey Print Works",
        tier=Tier.IRON,
        history=(
            _call(1, "Toner order short by two boxes", "Sent at once", "1006"),
            _call(21, "Account balance", "Told", "1007", minutes=2),
        ),
    ),
    Customer(
        name="Siân Pritchard",
        phones=("029 2018 0019",),
        tier=Tier.GOLD,
        note="Writes letters, answers each of them.",
        history=(
            PastContact(12, LETTER, "Thanks for the quick repair", "Praise, filed"),
            _call(19, "Dishwasher does not drain", "Engineer booked", "1005", minutes=8),
        ),
    ),
    Customer(
        name="黄丽华",
        phones=("020 7946 0455",),
        language="zh",
        tier=Tier.PLATINUM,
        email="huang.lihua@mail.example",
        note="重要客户，优先处理。",
        history=(
            _call(3, "咨询新品价格", "已报价", "1008", "vip", minutes=6),
            PastContact(15, EMAIL, "合同草案", "已回复"),
            PastContact(90, VISIT, "年度回访", "续签", outbound=True),
        ),
    ),
    Customer(
        name="Oliver Dunmore",
        phones=("+1 212 555 0142",),
        company="Dunmore & Price LLP",
        tier=Tier.GOLD,
        history=(_call(44, "Which plug types are supplied", "Answered", "1003", "sales", minutes=3),),
    ),
    Customer(
        name="Aisha Rahman",
        phones=("0116 496 0088",),
        tier=Tier.IRON,
        history=(_call(6, "Parcel not at the neighbour's", "Search started", "1007"),),
    ),
    Customer(
        name="周杰",
        phones=("0141 496 0230",),
        language="zh",
        tier=Tier.IRON,
        history=(_call(16, "查询订单状态", "已告知", "1006", minutes=2),),
    ),
    Customer(
        name="Fiona MacLeod",
        phones=("0141 496 0300",),
        company="MacLeod Outfitters",
        tier=Tier.GOLD,
        history=(
            PastContact(4, FAX, "Order form, autumn range", "Order taken"),
            _call(5, "Will fax the order, line was engaged", "Noted", "1004", "sales", minutes=2),
        ),
    ),
    Customer(
        name="Daniel Ferreira",
        phones=("0191 498 0064",),
        tier=Tier.LEAD,
        history=(PastContact(1, EMAIL, "Do you ship to the islands?", "Answered"),),
    ),
    Customer(
        name="吴秀英",
        phones=("0118 496 0099",),
        language="zh",
        tier=Tier.IRON,
        note="听力不好，请慢慢说。",
        history=(_call(13, "操作说明", "已解释", "1002", minutes=12),),
    ),
    Customer(
        name="Margaret Thornbury",
        phones=("0121 496 0071",),
        tier=Tier.GOLD,
        note="Hard of hearing: speak slowly.",
        history=(
            _call(28, "Does not understand the bill", "Explained line by line", "1001", minutes=14),
            PastContact(26, LETTER, "The bill, explained in writing", "Sent", outbound=True),
        ),
    ),
    Customer(
        name="孙伟",
        phones=("0161 496 0512",),
        language="zh",
        company="伟业建材",
        tier=Tier.GOLD,
        history=(
            _call(2, "投诉：送错型号", "已道歉并补发", "1008", "vip", minutes=10),
            _call(45, "询价", "已报价", "1004", "sales"),
        ),
    ),
    Customer(
        name="Lucy Hartwell",
        phones=("0121 496 0613",),
        tier=Tier.IRON,
        history=(PastContact(9, WEB, "Changed the delivery slot on the site", "Done by herself"),),
    ),
    Customer(
        name="Ahmed Siddiqui",
        phones=("0113 496 0720",),
        company="Siddiqui Textiles",
        tier=Tier.PLATINUM,
        email="ahmed@siddiqui-textiles.example",
        history=(
            _call(1, "Wants the credit limit raised", "Passed to finance", "1008", "vip", minutes=7),
            PastContact(1, EMAIL, "Balance sheet for the credit limit", "Received"),
        ),
    ),
    Customer(
        name="徐静",
        phones=("0117 496 0805",),
        language="zh",
        tier=Tier.LEAD,
        history=(PastContact(5, WEB, "在线咨询", "待回访"),),
    ),
    Customer(
        name="Robert Ainsley",
        phones=("020 7946 0808",),
        company="Ainsley Estates",
        tier=Tier.IRON,
        history=(_call(70, "Cancelled the order", "Cancelled: found it cheaper", "1003", "sales"),),
    ),
    Customer(
        name="Camille Laurent",
        phones=("+33 1 99 00 12 34",),
        language="fr",
        company="Atelier Laurent",
        tier=Tier.GOLD,
        history=(PastContact(22, EMAIL, "Samples for the autumn collection", "Sent", outbound=True),),
    ),
    Customer(
        name="马超",
        phones=("0131 496 0901",),
        language="zh",
        tier=Tier.IRON,
        history=(_call(31, "密码无法登录", "已重置", "1005", minutes=3),),
    ),
    Customer(
        name="Beatrice Langford",
        phones=("0114 496 0180",),
        tier=Tier.GOLD,
        history=(
            _call(8, "Ladder wobbles", "Replacement sent", "1007"),
            PastContact(1, PHONE, "Follow-up: is the ladder all right?", "Solved", agent="1007", minutes=2, outbound=True),
        ),
    ),
    Customer(
        name="朱琳",
        phones=("0151 496 0415",),
        language="zh",
        company="琳琅文化",
        tier=Tier.GOLD,
        history=(PastContact(11, VISIT, "到访签约", "已签约"),),
    ),
    Customer(name="Peter Wainwright", phones=("0116 496 0222",), tier=Tier.LEAD),
    Customer(
        name="Katie Summers",
        phones=("0191 498 0111",),
        tier=Tier.IRON,
        history=(_call(3, "Voucher code not taken", "New code sent", "1006", "sales", minutes=2),),
    ),
    Customer(
        name="何平",
        phones=("020 7946 0911",),
        language="zh",
        tier=Tier.GOLD,
        history=(
            _call(5, "要求延长保修", "已登记", "1002"),
            PastContact(4, LETTER, "保修延长确认函", "已寄出", outbound=True),
        ),
    ),
    Customer(
        name="George Pemberton",
        phones=("0118 496 0350",),
        company="Pemberton Instruments",
        tier=Tier.PLATINUM,
        history=(
            _call(2, "Spare parts for the 300 series", "Order taken", "1003", "vip", minutes=6),
            PastContact(200, LETTER, "Complaint about the 200 series", "Closed: replaced"),
        ),
    ),
    Customer(name="郭婷", phones=("029 2018 0650",), language="zh", tier=Tier.LEAD),
    Customer(
        name="Isla Campbell",
        phones=("0141 496 0777",),
        tier=Tier.IRON,
        history=(_call(36, "Moved house, new address", "Changed", "1005", minutes=3),),
    ),
    Customer(
        name="Whitfield & Sons (accounts)",
        phones=("020 7946 0018",),
        company="Whitfield & Sons Joinery",
        tier=Tier.PLATINUM,
        email="accounts@whitfield-joinery.example",
        note="Same switchboard number as Eleanor Whitfield.",
        history=(PastContact(14, EMAIL, "Statement for October", "Sent", outbound=True),),
    ),
    Customer(
        name="Bruce Callaghan",
        phones=("+61 2 5550 1234",),
        company="Callaghan Marine",
        tier=Tier.GOLD,
        history=(_call(66, "Freight to Sydney", "Quote sent", "1004", "sales", minutes=5),),
    ),
    Customer(
        name="林晓",
        phones=("0121 496 0888",),
        language="zh",
        tier=Tier.IRON,
        history=(_call(20, "催促发货", "已发货", "1006", minutes=3),),
    ),
)
