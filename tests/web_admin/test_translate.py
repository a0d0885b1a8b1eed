"""The translation tooling: what it finds, and that the product's own catalogue is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from deploy.bin import messages
from deploy.bin.messages_lint import unmarked_python, unmarked_template

ROOT = Path(__file__).resolve().parents[2]


def catalog(**strings: str) -> Catalog:
    found = Catalog(locale="zh_Hans")
    for text, translation in strings.items():
        found.add(text, translation, locations=[("page.html", 1)])
    return found


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello there</p>",
        '<input placeholder="Search items">',
        '<button aria-label="Close"></button>',
        '{% include "components/empty.html" with title="No items" %}',
        "{% if items %}Some{% endif %}",
        '<code>x</code> and <span translate="no">Docker</span>',
    ],
)
def test_it_finds_text_that_is_not_marked(template: str) -> None:
    assert len(unmarked_template(template)) == 1


@pytest.mark.parametrize(
    "template",
    [
        '{% load i18n %}<p>{% translate "Hello there" %}</p>',
        "<p>{% blocktranslate %}Hello <b>there</b>{% endblocktranslate %}</p>",
        '<input placeholder="{% translate "Search items" %}">',
        '{% include "components/empty.html" with title=_("No items") %}',
        '<a href="/items">{{ item.name }}</a> &middot; 12',
        '<span translate="no">Docker <b>Engine</b></span><pre>cpu load</pre>',
        '<input placeholder="env:prod role=web"> Quarterdeck {% block box_css %}wide{% endblock %}',
        "<script>let words = 1;</script>{# a remark #}{% comment %}more{% endcomment %}",
    ],
)
def test_it_lets_marked_text_and_names_pass(template: str) -> None:
    assert unmarked_template(template) == []


def test_it_says_on_which_line_the_text_stands() -> None:
    template = "{% load i18n %}\n{% blocktranslate %}\nmarked\n{% endblocktranslate %}\n<p>bare</p>\n"
    assert unmarked_template(template) == [(5, '"bare" is not marked for translation')]


def test_it_finds_an_f_string_in_a_translation_call() -> None:
    assert [line for line, _text in unmarked_python('x = 1\ny = _(f"{x} items")\n')] == [2]
    assert [line for line, _text in unmarked_python("y = ngettext(one, many, 2)\n")] == [1]
    assert unmarked_python('y = _("{x} items").format(x=1)\n') == []


def test_it_finds_a_missing_a_fuzzy_and_an_outdated_translation() -> None:
    fresh = catalog(One="", Two="", Three="")
    known = catalog(One="一", Two="", Four="四")
    known.add("Three", "三", flags=["fuzzy"])
    assert list(messages.findings(fresh, known)) == [
        "page.html: no translation of 'Two'",
        "page.html: no translation of 'Three'",
        "django.po: 'Four' is not in the code any more",
    ]


def test_it_finds_placeholders_that_differ() -> None:
    fresh = catalog(**{"%(count)s items": "", "{name} is gone": ""})
    known = catalog(**{"%(count)s items": "%(cont)s 项", "{name} is gone": "{name} 已消失"})
    found = list(messages.findings(fresh, known))
    assert len(found) == 1
    assert "%(cont)s" in found[0]


def test_every_string_of_the_product_has_a_translation() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/bin/messages.py", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
