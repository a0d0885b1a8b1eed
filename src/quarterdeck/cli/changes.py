"""qd changes: what one call changed, and undoing it."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows

app = typer.Typer(no_args_is_help=True, help="Change sets: what one call changed, and undoing it.")
Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the change set.", show_default=False)]


@app.command("list")
def list_changes(
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also what sources observed.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """List what people changed, newest first. Example: qd changes list --limit 10"""
    with Client() as client:
        rows = client.rows("/changes", {"by_people": not everything}, at_most=limit)
        write_rows(rows, output, ("id", "at", "actor", "source", "reason", "reverts"))


@app.command()
def show(number: Number, output: OutputOption = Format.TABLE) -> None:
    """Show how many items a change set touched, and whether it can be undone. Example: qd changes show 12"""
    with Client() as client:
        write_record(client.get(f"/changes/{number}"), output)


@app.command()
def fields(
    number: Number,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")] = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what a change set changed, field by field. Example: qd changes fields 12"""
    with Client() as client:
        rows = client.rows(f"/changes/{number}/fields", at_most=limit)
        write_rows(rows, output, ("item_id", "item", "field", "old", "new"))


@app.command()
def undo(
    number: Number,
    untouched_only: Annotated[
        bool, typer.Option("--untouched-only", help="Leave items alone that changed since.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
) -> None:
    """Put back what a change set replaced; items that it made go into the trash.

    Example: qd changes undo 12 --reason "wrong owner"
    """
    with Client() as client:
        done = client.send("POST", f"/changes/{number}/undo", {"untouched_only": untouched_only, "reason": reason})
    kept = f", {len(done['kept'])} left as they are" if done["kept"] else ""
    note(f"{done['changed']} items put back{kept}; `qd changes undo {done['change_set']}` does it again")
