"""quarterdeck intake: the listeners for telemetry alone; below it, the state of a running intake."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quarterdeck.cli import instance
from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, safe, write, write_record, write_rows
from quarterdeck.core.errors import BadInput

app = typer.Typer(
    invoke_without_command=True,
    help="Receive telemetry, nothing else, when no command follows; the commands look at a running intake.",
)
dead_app = typer.Typer(no_args_is_help=True, help="What the engine could not read.")
rules_app = typer.Typer(no_args_is_help=True, help="Rules of redaction: secrets that are replaced on the way in.")
app.add_typer(dead_app, name="dead")
app.add_typer(rules_app, name="rules")

STATUS_COLUMNS = ("protocol", "key", "accepted", "refused", "spooled", "loaded", "dead", "lag_seconds", "listens")
TARGET_COLUMNS = ("job", "instance", "url", "item", "is_up", "scraped_at", "duration_seconds", "samples", "error")
DEAD_COLUMNS = ("name", "protocol", "stream", "key", "received_at", "records", "bytes", "reason")
RULE_COLUMNS = ("name", "enabled", "builtin", "pattern", "replacement", "hits")


@app.callback()
def intake(context: typer.Context, data: instance.DataOption = None) -> None:
    """Receive telemetry, nothing else, when no command follows. QD_INTAKE_HTTP and its likes move the listeners."""
    if context.invoked_subcommand is not None:
        return
    directory = instance.choose(data)
    instance.prepare_directory(directory)
    from quarterdeck.conf.process import begin

    settings = {name: setting.value for name, setting in begin("intake", directory).items()}
    instance.open(directory, must_exist=False)
    from quarterdeck.intake.process import run

    run(directory, settings)


@app.command()
def status(
    output: OutputOption = Format.TABLE,
    by_key: Annotated[bool, typer.Option("--by-key", help="A row for each protocol and key.")] = False,
) -> None:
    """Tell per protocol what came in, was refused, is loaded, waits or is dead. Example: qd intake status -o json"""
    with Client() as client:
        found = client.get("/intake/status")
    rows = found["keys"] if by_key else [_with_ports(row, found) for row in found["protocols"]]
    columns = [name for name in STATUS_COLUMNS if name != ("listens" if by_key else "key")]
    write_rows(rows, output, columns)
    if found["problem"]:
        note(f"loading waits: {found['problem']}")
    for one in found["listeners"]:
        if one["problem"]:
            note(f"{one['protocol']}: cannot listen on {one['transport']} {one['address']}: {one['problem']}")


@app.command()
def targets(output: OutputOption = Format.TABLE) -> None:
    """List the scrape targets with how the last scrape of each went. Example: qd intake targets -o json"""
    with Client() as client:
        found = client.get("/intake/targets")
    write_rows(found["items"], output, TARGET_COLUMNS)
    for problem in found["problems"]:
        note(problem)
    if found["lost_samples"]:
        note(f"{found['lost_samples']} scraped samples were lost: the spool was full")


def _with_ports(row: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Add the ports of its own that a protocol listens on; all HTTP ones are on the common port as well."""
    ports = [one for one in found["listeners"] if one["protocol"] == row["protocol"] and not one["problem"]]
    kept = {name: value for name, value in row.items() if name not in ("key", "key_id")}
    return {**kept, "listens": [f"{one['transport']} {one['address']}" for one in ports]}


Names = Annotated[list[str] | None, typer.Argument(help="Names of dead letters.", show_default=False)]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]


@dead_app.command("list")
def list_dead(output: OutputOption = Format.TABLE) -> None:
    """List what the engine could not read, the newest first. Example: qd intake dead list"""
    with Client() as client:
        write_rows(client.get("/intake/dead")["items"], output, DEAD_COLUMNS)


@dead_app.command("show")
def show_dead(
    name: Annotated[str, typer.Argument(help="Name of the dead letter.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Show why, and the beginning of the content with secrets replaced. Example: qd intake dead show NAME"""
    with Client() as client:
        found = client.get(f"/intake/dead/{name}")
    if output is not Format.TABLE:
        write_record(found, output)
        return
    write_record({field: found[field] for field in DEAD_COLUMNS}, output)
    lines = [safe(line) for line in found["text"].splitlines()]
    write("\n" + "\n".join(lines) + ("\n..." if found["is_cut"] else "") + "\n")


def _names(client: Client, names: list[str] | None, every: bool) -> list[str]:
    if every:
        return [str(one["name"]) for one in client.get("/intake/dead")["items"]]
    if not names:
        raise BadInput("no dead letter is named", hint="qd intake dead list shows their names; --all takes all")
    return names


@dead_app.command("retry")
def retry_dead(names: Names = None, every: AllOption = False) -> None:
    """Put dead letters back on the road to the engine. Example: qd intake dead retry --all"""
    with Client() as client:
        chosen = _names(client, names, every)
        done = client.send("POST", "/intake/dead/retry", {"names": chosen})["done"] if chosen else 0
    note(f"{done} dead letters are on their way again")


@dead_app.command("delete")
def delete_dead(names: Names = None, every: AllOption = False) -> None:
    """Delete dead letters for good. Example: qd intake dead delete NAME"""
    with Client() as client:
        chosen = _names(client, names, every)
        done = client.send("POST", "/intake/dead/delete", {"names": chosen})["done"] if chosen else 0
    note(f"{done} dead letters are deleted")


RuleName = Annotated[str, typer.Argument(help="Name of the rule.", show_default=False)]
PatternOption = Annotated[str, typer.Option("--pattern", help="Regular expression in RE2's syntax.")]
ReplacementOption = Annotated[str, typer.Option("--replacement", help="What stands there instead; \\1 is a group.")]


@rules_app.command("list")
def list_rules(output: OutputOption = Format.TABLE) -> None:
    """List rules with their hits of the last 24 hours. Example: qd intake rules list"""
    with Client() as client:
        write_rows(client.get("/intake/rules")["items"], output, RULE_COLUMNS)


@rules_app.command("set")
def set_rule(
    name: RuleName,
    pattern: PatternOption,
    replacement: ReplacementOption = "***",
    title: Annotated[str, typer.Option("--title", help="What it replaces, in words.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Make or change a rule. Example: qd intake rules set staff-id --pattern 'E[0-9]{6}' --replacement '[staff]'"""
    body = {"pattern": pattern, "replacement": replacement, "title": title}
    with Client() as client:
        write_record(client.send("PUT", f"/intake/rules/{name}", body), output)


@rules_app.command("switch")
def switch_rule(
    name: RuleName, on: Annotated[bool, typer.Option("--on/--off", help="Whether it is in force.")] = True
) -> None:
    """Switch a rule on or off, a built-in one too. Example: qd intake rules switch card --off"""
    with Client() as client:
        client.send("PATCH", f"/intake/rules/{name}", {"enabled": on})
    note(f"rule {name} is {'on' if on else 'off'}")


@rules_app.command("delete")
def delete_rule(name: RuleName) -> None:
    """Delete a rule of one's own making. Example: qd intake rules delete staff-id"""
    with Client() as client:
        client.send("DELETE", f"/intake/rules/{name}")
    note(f"rule {name} is deleted")


@rules_app.command("try")
def try_rules(
    text: Annotated[str, typer.Argument(help="A line as it is sent.", show_default=False)],
    pattern: Annotated[str, typer.Option("--pattern", help="A rule to try beside those in force.")] = "",
    replacement: ReplacementOption = "***",
    output: OutputOption = Format.TABLE,
) -> None:
    """Tell what the rules make of a text; nothing is kept. Example: qd intake rules try 'password=hunter2'"""
    rule = {"pattern": pattern, "replacement": replacement} if pattern else None
    with Client() as client:
        write_record(client.send("POST", "/intake/redacted", {"text": text, "rule": rule}), output)
