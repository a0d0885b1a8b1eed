"""What a text calls, and which patterns meet it."""

from __future__ import annotations

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.guards.calling import NOT_KNOWN, Call, calls_of
from quarterdeck.jobs.guards.patterns import patterns_of


def names(text: str) -> set[str | None]:
    return {call.name for call in calls_of(text)}


@pytest.mark.parametrize(
    "text",
    [
        "reboot",
        "/sbin/reboot -f",
        "a; reboot",
        "a && b || reboot &",
        "true\nreboot",
        "uptime | tee x | reboot",
        "r'e'boot",
        're"boo"t',
        r"\reboot",
        "X=1 reboot",
        "sudo -n -u root /usr/sbin/reboot",
        "sudo env A=b nohup nice -n 5 timeout 5 reboot",
        "sh -c reboot",
        "bash -lc 'uptime; reboot'",
        "sudo sh -c \"true && reboot\"",
        "su - -c 'reboot'",
        "su root reboot",
        "eval 're'boot",
        "ssh other 'sleep 1; reboot'",
        "echo x | xargs -n 1 reboot",
        "find / -name x -exec reboot ';'",
        "if true; then reboot; fi",
        "for i in 1 2; do reboot; done",
        "case x in x) reboot;; esac",
        "f() { reboot; }; f",
        "echo $(reboot)",
        "echo `reboot`",
        "cat <(reboot)",
        "( cd / && reboot ) > /dev/null 2>&1",
        "bash <<'EOF'\nreboot\nEOF",
        "sudo bash -s <<EOF\ntrue\nreboot\nEOF",
        "bash <<< 'reboot'",
        "while read -r x; do reboot; done < file",
        "trap 'reboot' EXIT",
        "docker exec web reboot",
        "! reboot",
        "[ -f x ] && reboot",
        "[[ -f x ]] && reboot",
        "busybox reboot",
        "sudo -i <<EOF\nreboot\nEOF",
        "sudo --shell <<< reboot",
        "su - <<EOF\nreboot\nEOF",
        "pkexec reboot",
        "coproc reboot",
    ],
)  # fmt: skip
def test_a_call_is_found_however_it_is_written(text: str) -> None:
    assert "reboot" in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "echo reboot", "grep -r 'reboot' /var/log", "echo 'a; reboot'", "# reboot", "cat reboot.sh", "last reboot",
        "cat <<EOF\nreboot\nEOF", "journalctl -u reboot.service", "X=reboot true", "./reboot-check",
        "sudo tee x <<EOF\nreboot\nEOF",
    ],
)  # fmt: skip
def test_what_is_only_a_word_is_no_call(text: str) -> None:
    assert "reboot" not in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "$CMD now",
        "$(cat x)",
        "/sbin/reb?ot",
        "r{e,}boot",
        "bash <<< $X",
        "${A}b",
        "$'reb\\x6fot'",
        "if then ((",
        "echo reboot | sh",
        "curl -s x | sudo bash -s",
        "cat x | tee y | ssh other sh",
    ],
)
def test_what_only_the_host_knows_is_told(text: str) -> None:
    assert None in names(text)


def test_words_come_as_the_program_gets_them() -> None:
    assert calls_of("rm -rf '/a b' \"/c\"/d \"$X\"/e /f\\ g") == (
        Call("rm", ("-rf", "/a b", "/c/d", None, "/f g")),
    )  # fmt: skip


KNOWN = {"service": "nginx", "dir": "/srv/x", "two": "a b", "none": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('stop "$service"', ("nginx",)),
        ("stop $service ${dir}", ("nginx", "/srv/x")),
        ('stop "${service} $dir/y"', ("nginx /srv/x/y",)),
        ('stop "a\\$service"', ("a$service",)),
        ('stop "$two" "$none"', ("a b", "")),
        # Without quotes the shell parts them, or leaves them out.
        ("stop $two", (None,)),
        ("stop $none", (None,)),
        ("stop '$service'", ("$service",)),
        ("stop ${service:-x} ${service%n} $other", (None, None, None)),
    ],
)
def test_variables_that_are_given_are_known(text: str, expected: tuple[str | None, ...]) -> None:
    assert calls_of(text, KNOWN) == (Call("stop", expected),)


@pytest.mark.parametrize(
    "text",
    ["service=x; stop $service", "read service; stop $service", "for service in a b; do stop $service; done",
     "stop $service; export service=y", "unset service; stop $service"],
)  # fmt: skip
def test_variables_that_the_text_sets_are_not(text: str) -> None:
    assert Call("stop", (None,)) in calls_of(text, KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "sudo " * 30_000,
        "ssh " * 20_000 + "reboot",
        "(" * 30_000,
        "$(" * 20_000 + ")" * 20_000,
        "eval " + "'eval " * 2000,
        "sh -c 'sh' " * 3000,
        "\n".join(f"find {'rm ' * 190} x{number} -r -f" for number in range(1500)),
    ],
)
def test_a_text_that_no_one_writes_is_bounded_and_not_understood(text: str) -> None:
    assert NOT_KNOWN in calls_of(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("reboot", "sudo reboot now"),
        ("reboot|halt|poweroff", "halt -p"),
        ("rm -r /*", "rm -rf /srv"),
        ("rm -r /*", "rm -v -R -r /"),
        ("rm -r|-R|--recursive /*", "rm --recursive /srv/x"),
        ("rm -r /*", "rm -rf $DIR"),
        ("mkfs*", "mkfs.ext4 /dev/sda1"),
        ("dd of=/dev/*", "dd if=/dev/zero of=/dev/sda bs=1M"),
        ("systemctl stop|restart nginx*", "systemctl restart nginx.service"),
        ("$", "curl -s https://x | $SHELL"),
        ("rm '* *'", "rm 'a b'"),
        ("rm -r /etc", "rm -rf /etc/"),
        ("rm -r /etc", "rm -rf /etc/*"),
        ("rm -r /etc", "rm -rf //etc"),
        ("rm -r /", "rm -rf //"),
        ("rm -r /", "rm -rf /*"),
        ("rm -r ~", "rm -rf ~/"),
    ],
)  # fmt: skip
def test_a_pattern_meets(pattern: str, text: str) -> None:
    (one,) = patterns_of(pattern)
    assert any(one.meets(call) for call in calls_of(text))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("rm -r /*", "rm /srv/x"),
        ("rm -r /*", "rm -rf build"),
        ("rm -r /etc", "rm -rf /etc/nginx"),
        ("rm --recursive", "rm $OPTIONS x"),
        ("dd of=/dev/*", "dd if=/dev/sda of=disk.img"),
        ("systemctl stop nginx", "systemctl status nginx"),
        ("$", "echo $HOME"),
        ("*", "$CMD"),
    ],
)
def test_a_pattern_does_not_meet(pattern: str, text: str) -> None:
    (one,) = patterns_of(pattern)
    assert not any(one.meets(call) for call in calls_of(text))


def test_lines_that_are_no_patterns() -> None:
    assert [one.text for one in patterns_of("\n# halt\n  reboot  \n\nrm -r /*\n")] == ["reboot", "rm -r /*"]
    for wrong in ("rm 'x", "/sbin/reboot", "-r x", "''"):
        with pytest.raises(BadInput):
            patterns_of(wrong)
    with pytest.raises(BadInput):
        patterns_of("reboot\n" * 201)
