"""Every mistake an admin can make, with its line and a hint; and that one reading finds them all."""

import hashlib
from textwrap import dedent

import pytest

from routing.rules_file import MAX_RULES, read_rules
from routing.yaml_nodes import MAX_BYTES, MAX_PROBLEMS

END = "default: {queue: support}\n"
OFFICE = 'hours: {office: {timezone: Europe/London, week: {mon: "09:00-17:00"}}}\n'


def mistakes(text: str) -> list[tuple[int, str, str]]:
    return [
        (problem.line, problem.severity.value, f"{problem.message} | {problem.hint}") for problem in read_rules(text).problems
    ]


def hours(body: str) -> str:
    return f"hours:\n  office:\n{body}\nrules: [{{name: a, when: {{hours: office}}, queue: q}}]\n{END}"


def rule(when: str, before: str = "") -> str:
    return f"{before}rules:\n- name: a\n  when: {when}\n  queue: q\n{END}"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # the file as a whole
        ("", 1, "the file is empty"),
        ("- a", 1, "the file must be names with values"),
        ("rules: []", 1, "default is missing"),
        ("rule: []\n" + END, 1, "unknown word 'rule' in the file | did you mean rules?"),
        (END + END, 2, "'default' is given twice in the file | first on line 1"),
        ("? [a]\n: b\n" + END, 1, "a name in the file must be plain text"),
        ("default:\n  queue: 'a", 2, "not YAML"),
        ("default: {queue: a\n\nrules: []", 3, "not YAML"),
        ("rules:\n\t- a\n" + END, 2, "indent with spaces, not tabs"),
        ("rules: a: b\n" + END, 1, "put text with a colon into quotes"),
        (END + "\x07", 2, "a character that YAML does not allow"),
        (END + '---\n{queue: "x"}', 2, "not YAML"),
        ('default: {queue: "\\UFFFFFFFF"}', 1, "stands for nothing"),
        ("default: &a {queue: q}", 1, "anchors and aliases"),
        ("default: {queue: q}\nrules: *a", 2, "anchors and aliases"),
        ("default: {queue: q, priority: !!int 5}", 1, "tags"),
        ("default: !!python/object/apply:os.system [ls]", 1, "tags"),
        (END + "rules: " + "[" * 50_000, 2, "nested too deep"),
        (END + "rules: [" + "a," * 10_001 + "]", 2, "more than 10,000 values"),
        (END + "#" * MAX_BYTES, 1, "larger than 128 KiB"),
        # the default
        ("default: {}", 1, "default names no queue"),
        ("default:\n  queue:", 2, "queue is empty"),
        ("default:\n  queue: [a]", 2, "queue must be one value, not a list"),
        ("default:\n  queue: 500&PJSIP/x", 2, "is no queue name"),
        ("default:\n  queue: '${SHELL(id)}'", 2, "is no queue name"),
        ("default:\n  queue: a\n  priority: 1001", 3, "no whole number from 0 to 1,000"),
        ("default:\n  queue: a\n  priority: -1", 3, "no whole number"),
        ("default:\n  queue: a\n  priority: 1.5", 3, "no whole number"),
        ("default:\n  queue: a\n  priority: ٣", 3, "no whole number"),
        ("default:\n  queue: a\n  when: {}", 3, "unknown word 'when' in default"),
        # rules
        ("rules: {name: a}\n" + END, 1, "rules must be a list"),
        ("rules: [a]\n" + END, 1, "a rule must be names with values"),
        ("rules:\n- queue: q\n" + END, 2, "the rule has no name"),
        ("rules:\n- name: a\n" + END, 2, "names no queue"),
        ("rules:\n- {name: 'a b', queue: q}\n" + END, 2, "is no name for a rule"),
        ("rules:\n- {name: default, queue: q}\n" + END, 2, "the name default is taken"),
        ("rules:\n- {name: a, queue: q, prioritty: 1}\n" + END, 2, "did you mean priority?"),
        (
            "rules:\n- {name: a, queue: q, when: {did: 1}}\n- {name: a, queue: q, when: {did: 2}}\n" + END,
            3,
            "a second rule is named 'a' | first on line 2",
        ),
        ("rules:\n" + "- {name: a, queue: q}\n" * (MAX_RULES + 1) + END, MAX_RULES + 2, f"more than {MAX_RULES} rules"),
        # conditions
        (rule("a"), 3, "when must be names with values"),
        (rule("{dids: 1}"), 3, "did you mean did?"),
        (rule("{not: {not: {did: 1}}}"), 3, "unknown word 'not' in not"),
        (rule("{did: []}"), 3, "did is an empty list"),
        (rule("{did: ''}"), 3, "did is empty"),
        (rule("{did: {a: b}}"), 3, "did must be one value"),
        (rule("{did: '800 1'}"), 3, "did '800 1' can never match"),
        (rule("{did: '80*1'}"), 3, "can never match"),
        (rule("{did: '123456789012345678901'}"), 3, "can never match"),
        (rule("{caller: 02079460018}"), 3, "can never match | in international form"),
        (rule("{caller: '+0207*'}"), 3, "can never match"),
        (rule("{caller: '+44207946001'}"), 3, 'plan | for all numbers that begin so: "+44207946001*"'),
        (rule("{caller: '+4420794600181234*'}"), 3, "can never match"),
        (rule("{caller: witheld}"), 3, "did you mean withheld?"),
        (rule("{tier: [gold, golden]}"), 3, "unknown tier 'golden' | did you mean gold?"),
        (rule("{tier: vip}"), 3, "unknown tier 'vip' | known: gold, iron, lead, platinum"),
        (rule("{hours: ofice}", OFFICE), 4, "no hours are named 'ofice' | did you mean office?"),
        (rule("{hours: office}"), 3, "no hours are named 'office' | define them under hours:"),
        # hours
        ("hours: [a]\n" + END, 1, "hours must be names with values"),
        (hours("    week: {mon: '09:00-10:00'}"), 3, "timezone is missing"),
        (hours("    timezone: Europe/Londn\n    week: {mon: '09:00-10:00'}"), 3, "did you mean Europe/London?"),
        (hours("    timezone: ../../etc/passwd\n    week: {mon: '09:00-10:00'}"), 3, "unknown time zone"),
        (hours("    timezone: Europe\n    week: {mon: '09:00-10:00'}"), 3, "unknown time zone 'Europe'"),
        (hours("    timezone: Europe/London"), 3, "is never open"),
        (hours("    timezone: Europe/London\n    week: {mon: closed}"), 3, "is never open"),
        (hours("    timezone: UTC\n    weak: {mon: '09:00-10:00'}\n    week: {tue: '09:00-10:00'}"), 4, "did you mean week?"),
        (hours("    timezone: UTC\n    week: {mno: '09:00-10:00'}"), 4, "unknown day 'mno' | did you mean mon?"),
        (hours("    timezone: UTC\n    week: {fri-mon: '09:00-10:00'}"), 4, "runs backwards"),
        (hours("    timezone: UTC\n    week:\n      mon-fri: '09:00-10:00'\n      fri: closed"), 6, "fri is given twice"),
        (hours("    timezone: UTC\n    week: {mon: '9-17'}"), 4, "is no time span"),
        (hours("    timezone: UTC\n    week: {mon: '09:00-25:00'}"), 4, "no clock shows"),
        (hours("    timezone: UTC\n    week: {mon: '09:60-10:00'}"), 4, "no clock shows"),
        (hours("    timezone: UTC\n    week: {mon: '09:00-09:00'}"), 4, "is empty"),
        (hours("    timezone: UTC\n    exceptions: {2026-02-30: '09:00-10:00'}"), 4, "is no date"),
        (hours("    timezone: UTC\n    exceptions: {2026-02-03..2026-02-01: '09:00-10:00'}"), 4, "covers -1 days"),
        (hours("    timezone: UTC\n    exceptions:\n      2026-02-01..2026-02-03: closed\n      2026-02-02: closed"), 6, "twice"),
        (OFFICE.replace("office", "o f") + END, 1, "is no name for hours"),
    ],
)  # fmt: skip
def test_mistake_is_an_error_with_its_line_and_keeps_the_file_out_of_force(text, line, words):
    found = mistakes(text)

    assert any(at == line and severity == "error" and words in said for at, severity, said in found), found
    assert read_rules(text).rules is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("{}", "{did: 1}", id="after a rule without conditions"),
        pytest.param("{did: 1, tier: gold}", "{tier: gold, did: 1}", id="the same conditions again"),
        pytest.param("{did: '80*'}", "{did: [8001, '800*']}", id="covered by a prefix"),
        pytest.param("{tier: [gold, iron]}", "{tier: gold, did: 1}", id="narrower in both ways"),
        pytest.param("{caller: known}", "{tier: gold}", id="only a known caller has a tier"),
        pytest.param("{not: {did: 8001}}", "{not: {did: '80*'}}", id="a wider refusal is narrower"),
        pytest.param("{hours: office}", "{hours: office, caller: known}", id="within the same hours"),
    ],
)
def test_rule_that_no_call_can_reach_is_a_warning(first, second):
    text = f"{OFFICE}rules:\n- {{name: a, when: {first}, queue: q}}\n- {{name: b, when: {second}, queue: q}}\n{END}"

    found = [mistake for mistake in mistakes(text) if "no call reaches" in mistake[2]]

    expected = "no call reaches rule 'b': 'a' on line 3 takes them all | move it up, or narrow the rule before it"
    assert found == [(4, "warning", expected)]
    assert read_rules(text).rules is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{did: 8001}", "{did: '800*'}"),
        ("{did: 8001}", "{not: {did: 8001}}"),
        ("{tier: gold, did: 1}", "{tier: gold}"),
        ("{not: {did: '80*'}}", "{not: {did: 8001}}"),
        ("{tier: gold}", "{caller: known}"),
        ("{caller: unknown}", "{tier: gold}"),
        ("{did: 1}", "{caller: known}"),
    ],
)
def test_rule_that_some_call_reaches_is_not_warned_about(first, second):
    assert mistakes(f"rules:\n- {{name: a, when: {first}, queue: q}}\n- {{name: b, when: {second}, queue: q}}\n{END}") == []


@pytest.mark.parametrize(
    "when",
    [
        "{hours: office, not: {hours: office}}",
        "{did: 8001, not: {did: '80*'}}",
        "{caller: withheld, tier: gold}",
        "{caller: [unknown, withheld], tier: gold}",
        "{tier: gold, not: {caller: known}}",
    ],
)
def test_conditions_that_exclude_each_other_are_a_warning(when):
    assert any("no call can meet this" in said for _, severity, said in mistakes(rule(when, OFFICE)) if severity == "warning")


def test_hours_of_no_rule_are_a_warning():
    assert mistakes(OFFICE + END) == [(1, "warning", "hours 'office' are used by no rule | ")]


def test_overlapping_times_are_a_warning():
    text = hours("    timezone: UTC\n    week:\n      mon: ['09:00-12:00', '11:00-13:00']")

    assert mistakes(text) == [(5, "warning", "mon of hours 'office': '11:00-13:00' overlaps an earlier time | ")]


def test_all_mistakes_come_at_once_in_order_with_their_columns():
    text = dedent(
        """\
        rules:
          - name: a b
            when: {did: "800 1", tier: golden}
            queue: sa les
          - name: b
            queue: q
            priority: high
        """
    )

    found = [(problem.line, problem.column) for problem in read_rules(text).problems]

    assert found == [(1, 1), (2, 11), (3, 17), (3, 32), (4, 12), (7, 15)]


def test_a_mistake_in_a_condition_does_not_make_later_rules_unreachable():
    text = f"rules:\n- {{name: a, when: {{tiers: gold}}, queue: q}}\n- {{name: b, when: {{did: 1}}, queue: q}}\n{END}"

    assert [severity for _, severity, _ in mistakes(text)] == ["error"]


def test_number_of_mistakes_told_is_bounded():
    assert len(read_rules("rules: [" + "a," * 500 + "]").problems) == MAX_PROBLEMS


def test_values_are_read_as_written():
    """YAML 1.1 makes 09:30 a number of seconds, 0800 octal and no a truth value."""
    text = "hours: {no: {timezone: UTC, week: {mon: 09:30-10:00}}}\n" + rule("{did: 0800, hours: no}")

    rules = read_rules(text).rules

    assert rules is not None
    assert rules.rules[0].conditions[0].test.patterns[0].digits == "0800"


def test_version_is_the_beginning_of_the_files_hash():
    assert read_rules(END).version == hashlib.sha256(END.encode()).hexdigest()[:12]


def test_problem_as_the_command_line_and_the_admin_page_show_it():
    check = read_rules("default:\n  queue: a b\n")

    assert str(check.problems[0].as_problem("routing.yaml")) == (
        "routing.yaml:2:10: 'a b' is no queue name (1 to 40 of the letters A-Z a-z, digits, _ and -)"
    )
    assert check.problems[0].document() == {
        "line": 2,
        "column": 10,
        "message": "'a b' is no queue name",
        "hint": "1 to 40 of the letters A-Z a-z, digits, _ and -",
        "severity": "error",
    }
