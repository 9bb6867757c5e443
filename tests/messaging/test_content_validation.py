"""Mistakes and attacks in a template are told with their place, and never reach the engine."""

from dataclasses import dataclass
from typing import Any

import pytest

from messaging.content.frame import MessageSource
from messaging.content.problems import Problem, Severity
from messaging.content.validation import validate_message


@dataclass(frozen=True)
class Known:
    sample: Any
    always: bool = False


KNOWN = {
    "customer.first_name": Known("Sara"),
    "customer.visit_count": Known(3, always=True),
    "loyalty.vouchers": Known([{"code": "A"}], always=True),
    "organization.name": Known("Saffron", always=True),
    "organization.postal_address": Known("1 Main St", always=True),
}
OUT = '<p><a href="{{ unsubscribe_url }}">Out</a> {{ organization.postal_address }}</p>'


def problems_of(html: str, subject: str = "Hello", **options: Any) -> list[Problem]:
    parts = {name: options.pop(name) for name in ("text", "preheader") if name in options}
    return validate_message(MessageSource(subject, html, **parts), KNOWN, **options)


def codes_of(html: str, **options: Any) -> list[str]:
    return [problem.code for problem in problems_of(html, **options)]


def test_a_sound_message_has_no_problems() -> None:
    html = "<p>Hi {{ customer.first_name | default('friend') }}</p>{% if customer.first_name %}{{ customer.first_name }}{% endif %}"
    assert problems_of(html + OUT) == []
    assert problems_of(html + "{{ footer }}", text="Hi {{ footer }}") == []


def test_a_syntax_error_names_its_line() -> None:
    problem = problems_of("<p>\n\n{{ customer.first_name | }}</p>" + OUT)[0]
    assert (problem.code, problem.part.value, problem.line, problem.severity) == ("syntax", "html", 3, Severity.ERROR)
    problem = problems_of("<p>\n{% if customer.first_name %}x</p>" + OUT)[0]
    assert problem.code == "syntax"


@pytest.mark.parametrize(
    ("html", "line", "told"),
    [
        ("<p>\n{% if customer.first_name %}x</p>", 2, "“{% if customer.first_name %}” is never ended: “{% endif %}” is missing."),
        ("{% for a in list.one %}x", 1, "“{% for a in list.one %}” is never ended: “{% endfor %}” is missing."),
        ("<p>\n{% endif %}</p>", 2, "“{% endif %}” belongs to no “if” before it."),
        ("{% if customer.first_name %}x{% endfor %}", 1, "“{% endfor %}” belongs to no “for” before it."),
        (
            "{% for a in list.one %}x{% elif customer.first_name %}{% endfor %}",
            1,
            "“{% elif customer.first_name %}” belongs to no “if” before it.",
        ),
        ("{% else %}", 1, "“{% else %}” belongs to no “if” before it."),
        ("{{ 1 + }}", 1, "A tag here cannot be read: unexpected end of variable block"),
    ],
)
def test_what_begins_or_ends_alone_is_told_in_words(html: str, line: int, told: str) -> None:
    assert [(problem.code, problem.line, problem.message) for problem in problems_of(html + OUT)] == [("syntax", line, told)]


def test_a_loop_may_say_what_stands_for_nobody() -> None:
    assert problems_of("{% for v in loyalty.vouchers %}{{ v.code }}{% else %}None{% endfor %}" + OUT) == []


def test_unknown_variables_are_listed_with_line_and_likely_name() -> None:
    problems = problems_of(
        "<p>{{ customer.first_nam | default('x') }}</p>\n<p>{{ weather | default(1) }}</p>" + OUT, subject="{{ x.y | default('') }}"
    )
    assert [(p.code, p.part.value, p.name, p.line) for p in problems] == [
        ("unknown_variable", "subject", "x.y", 1),
        ("unknown_variable", "html", "customer.first_nam", 1),
        ("unknown_variable", "html", "weather", 2),
    ]
    assert "customer.first_name" in problems[1].message


def test_the_way_out_is_required_of_messages_that_need_consent() -> None:
    assert codes_of("<p>Hi</p>") == ["missing_unsubscribe", "missing_postal_address"]
    assert codes_of("<p>Hi</p>", unsubscribable=False) == []
    assert codes_of("<p>Hi</p>" + OUT, text="no way out") == ["missing_unsubscribe", "missing_postal_address"]
    assert codes_of("<p>Hi</p>" + OUT, postal_address=" ") == ["no_postal_address"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- {{ footer }} -->",
        "<!-- {{ footer }}",
        "{# {{ footer }} #}",
        "{% raw %}{{ footer }}{% endraw %}",
        "{% if false %}{{ footer }}{% endif %}",
        "{% if customer.first_name %}{{ footer }}{% endif %}",
        "{% if customer.first_name == 'Zed' %}<p>x</p>{% else %}{{ footer }}{% endif %}",
        "{% if customer.first_name %}{{ footer }}{% elif customer.visit_count %}{{ footer }}{% endif %}",
        "{% for each in loyalty.vouchers %}{{ footer }}{% endfor %}",
        "{% if unsubscribe_url %}{% if customer.first_name %}{{ footer }}{% endif %}{% endif %}",
        "<title>{{ unsubscribe_url }}</title>",
    ],
)
def test_a_way_out_that_not_everybody_sees_is_none(hidden: str) -> None:
    assert "missing_unsubscribe" in codes_of("<p>Hi {{ organization.postal_address }}</p>" + hidden)


@pytest.mark.parametrize(
    "shown",
    [
        '{% if unsubscribe_url %}<a href="{{ unsubscribe_url }}">Out</a>{% endif %}',
        '{%- if  unsubscribe_url -%}<a href="{{ unsubscribe_url }}">Out</a>{% endif %}',
        '{% if unsubscribe_url is defined %}{% endif %}<a href="{{ unsubscribe_url }}">Out</a>',
        "{% if customer.first_name == 'Zed' %}{{ footer }}{% elif false %}{{ footer }}{% else %}<p>Bye</p>{{ footer }}{% endif %}",
        "<!--[if mso]><p>x</p><![endif]-->{{ footer }}",
        "<p>{{ unsubscribe_url }}</p>",
    ],
)
def test_a_way_out_that_everybody_sees_is_enough(shown: str) -> None:
    assert codes_of("<p>Hi {{ organization.postal_address }}</p>" + shown) == []


def test_the_text_made_from_a_message_has_the_way_out_too() -> None:
    area = '<map name="m"><area href="{{ unsubscribe_url }}" alt="Out"></map><p>{{ organization.postal_address }}</p>'
    assert [(p.code, p.part.value) for p in problems_of(area)] == [("missing_unsubscribe", "text")]
    assert codes_of(area, text="Out: {{ unsubscribe_url }} {{ organization.postal_address }}") == []


def test_a_value_that_may_be_absent_asks_for_a_fallback() -> None:
    problems = problems_of("<p>{{ customer.first_name }} {{ customer.visit_count }}</p>" + OUT)
    assert [(p.code, p.name, p.severity) for p in problems] == [("no_fallback", "customer.first_name", Severity.WARNING)]


def test_a_fallback_comes_before_filters_that_would_fail_without_a_value() -> None:
    late = problems_of("<p>{{ customer.first_name | upper | default('x') }}</p>" + OUT)
    assert [(p.code, p.name, p.severity) for p in late] == [("no_fallback", "customer.first_name", Severity.WARNING)]
    assert problems_of("<p>{{ customer.first_name | default('x') | upper }} {{ customer.first_name|d('x') }}</p>" + OUT) == []


def test_sizes_are_limited() -> None:
    assert codes_of("x" * 300_001) == ["too_large"]
    assert codes_of("<p>Hi</p>" + OUT, subject="x" * 251) == ["too_large"]
    assert codes_of("<p>" + "many words " * 10_000 + "</p>" + OUT) == ["clipped"]
    assert codes_of(" <!-- nothing --> ", subject=" ") == ["empty", "empty"]


def test_active_content_and_relative_pictures_are_told() -> None:
    problems = problems_of("<p>x</p>\n<script>alert(1)</script><img src='logo.png'>" + OUT)
    assert [(p.code, p.name, p.line) for p in problems] == [("active_content", "script", 2), ("relative_image", "logo.png", 2)]


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        ("{{ customer.__class__ }}", "attribute"),
        ("{{ customer.items }}", "attribute"),
        ("{{ customer.clear() }}", "attribute"),
        ("{{ customer['first_name'] }}", "attribute"),
        ("{{ customer.first_name.format }}", "attribute"),
        ("{{ ().__class__.__bases__ }}", "attribute"),
        ("{{ range(1000000) }}", "call"),
        ("{{ debug() }}", "call"),
        ("{{ (customer.first_name)() }}", "call"),
        ("{{ 'x' * 1000000000 }}", "operator"),
        ("{{ 2 ** 100 }}", "operator"),
        ("{{ {'a': 1} }}", "syntax"),
        ("{{ 'x' | replace('x', 'xx') }}", "filter"),
        ("{{ customer.first_name | safe }}", "filter"),
        ("{{ 'x' | indent(1000000) }}", "filter"),
        ("{{ 'x' | join('xx') | join('xx') }}", "filter"),
        ("{% set a = 'x' %}", "statement"),
        ("{% include 'x' %}", "statement"),
        ("{% macro a() %}{{ a() }}{% endmacro %}", "statement"),
        ("{% filter upper %}x{% endfilter %}", "statement"),
        ("{% autoescape false %}x{% endautoescape %}", "statement"),
        ("{% endautoescape %}", "statement"),
        ("{% for a in loyalty.vouchers recursive %}{% endfor %}", "statement"),
        ("{{ _track }}", "attribute"),
        ("{{ " + "not " * 50_000 + "1 }}", "tag_too_long"),
        ("{{ 1" + "+1" * 100_000 + " }}", "tag_too_long"),
        ("{% if 1 %}" * 20_000, "too_many_tags"),
        ("{% if 1 %}" * 21 + "{% endif %}" * 21, "too_deep"),
        ("{% if 1 %}" + "{% elif 1 %}" * 51 + "{% endif %}", "too_many_branches"),
        ("{% for a in loyalty.vouchers %}" + "x" * 5_000 + "{% endfor %}", "loop_too_large"),
        ("<p {{ customer.visit_count }}>x</p>", "tag_in_element"),
        ("<p {% if customer.first_name %}class='x'{% endif %}>x</p>", "tag_in_element"),
        ("<style>{% if customer.first_name %}p{}{% endif %}</style>", "statement_in_element"),
        ("{{ \x00 }}", "operator"),
        ("<div>" * 5_000, "too_deep"),
        ("<b>" * 90_000, "too_deep"),
        ("{{ " * 90_000, "too_many_tags"),
        ("{# " * 1_900, "syntax"),
        ("{% raw %}" * 1_900, "syntax"),
        ('{{ "' * 1_900, "syntax"),
    ],
)
def test_what_could_reach_or_grow_is_refused(hostile: str, code: str) -> None:
    assert code in codes_of(f"<div>{hostile}</div>{OUT}")


def test_broken_markup_takes_no_time() -> None:
    assert codes_of("<a <img <link <meta " * 10_000 + OUT) == []


@pytest.mark.parametrize("hostile", ["<!-- <meta " + "charset" * 42_000 + "< -->", "<!-- <link " + "stylesheet " * 26_500 + "< -->"])
def test_words_that_are_repeated_without_end_take_no_time(hostile: str) -> None:
    assert set(codes_of("<p>Hi</p>" + OUT + hostile)) <= {"clipped"}


def test_endless_loops_run_out_of_fuel() -> None:
    loops = "{% for a in 'abcdefghijklmnopqrstuvwxyz' %}" * 6 + "x" + "{% endfor %}" * 6
    assert codes_of(loops + OUT) == ["template_too_slow"]


def test_a_problem_is_plain_data_for_the_api() -> None:
    assert problems_of("<p>Hi</p>")[0].as_dict() == {
        "code": "missing_unsubscribe",
        "message": "There is no unsubscribe link that everybody gets; add {{ footer }} or {{ unsubscribe_url }}, outside of conditions.",
        "part": "html",
        "line": None,
        "name": "",
        "severity": "error",
    }
