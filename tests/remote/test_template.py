"""Templates: what they may use, and that none of them can loop, grow or look around."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.templating import MAX_TEMPLATE_BYTES, Rendered, rendered

pytestmark = pytest.mark.slow


def of(template: str, *contexts: dict[str, Any]) -> list[Rendered]:
    return asyncio.run(rendered(template, contexts or ({},)))


def test_each_host_has_its_values() -> None:
    template = "server {{ name }} {% for port in ports %}:{{ port }}{% endfor %} {{ tags.role|default('-') }}\n"
    found = of(
        template, {"name": "web1", "ports": [80, 443], "tags": {"role": "汉"}}, {"name": "a", "ports": [], "tags": {}}
    )
    assert [one.checked() for one in found] == ["server web1 :80:443 汉\n", "server a  -\n"]


def test_values_are_quoted_for_a_shell_and_for_json_when_asked() -> None:
    found = of("{{ v|quote }} {{ v|to_json }}", {"v": "it's; $(id)"})
    assert found[0].checked() == "'it'\"'\"'s; $(id)' \"it's; $(id)\""


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{{ nobody }}", "line 2 of the template: 'nobody' is undefined"),
        ("{{ name.nothing }}", "no attribute 'nothing'"),
        ("a\n\n{% if %}", "line 3 of the template"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ name.__init__.__globals__ }}", "unsafe"),
        ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "unsafe"),
        ("{{ names.append(1) }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ range(10000000) }}", "too big"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(template: str, said: str) -> None:
    found = of(template, {"name": "x", "names": []})
    assert said in found[0].error
    with pytest.raises(BadInput):
        found[0].checked()


def test_endless_and_huge_templates_end() -> None:
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    hosts = "{% if loops %}" + loops + "{% endif %}{% if grows %}{{ 'x' * 3000000 }}{% endif %}ok"
    found = of(hosts, {"loops": True, "grows": False}, {"loops": False, "grows": True}, {"loops": 0, "grows": 0})
    assert "not ready after 2 s" in found[0].error
    assert "more than 1048576 bytes" in found[1].error
    assert found[2].checked() == "ok", "the next host has its text all the same"
    assert "memory" in of("{{ 'x' * 10 ** 10 }}")[0].error
    with pytest.raises(BadInput):
        of("x" * (MAX_TEMPLATE_BYTES + 1))
