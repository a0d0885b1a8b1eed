"""qd credentials: what hosts are signed in on with. A secret comes from a file or stdin, never from an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.fields import find_item
from quarterdeck.cli.output import Format, OutputOption, note, write_record, write_rows
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Credentials: keys and passwords for hosts, kept encrypted, never shown.")
COLUMNS = ("name", "kind", "username", "shown.fingerprint", "attachments", "last_used_at")
_MAX_BYTES = 64 << 10

Name = Annotated[str, typer.Argument(help="Name of the credential.", show_default=False)]
UserOption = Annotated[str | None, typer.Option("--user", help="Account to sign in as.")]
KeyOption = Annotated[Path | None, typer.Option("--key-file", help="File with a private SSH key.")]
CertificateOption = Annotated[
    Path | None, typer.Option("--certificate-file", help="File with the key's certificate, KEY-cert.pub.")
]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read a password from stdin; asked for on a terminal.")
]
PassphraseOption = Annotated[bool, typer.Option("--passphrase-stdin", help="Read the key's passphrase from stdin.")]
BecomeOption = Annotated[
    str | None, typer.Option("--become", help="The password is for sudo, su or doas, not to sign in.")
]
BecomeUserOption = Annotated[str | None, typer.Option("--become-user", help="Whom to become; root when left out.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="What it is for.")]


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="Letters, digits, - and _.")],
    user: UserOption = None,
    key_file: KeyOption = None,
    certificate_file: CertificateOption = None,
    password_stdin: PasswordOption = False,
    passphrase_stdin: PassphraseOption = False,
    become: BecomeOption = None,
    become_user: BecomeUserOption = None,
    description: DescriptionOption = None,
    query: Annotated[str, typer.Option("--query", "-q", help="Attach it to the items of this query.")] = "",
    output: OutputOption = Format.TABLE,
) -> None:
    """Keep a credential. Its secret is read from a file or stdin and cannot be shown again.

    Example: qd credentials create --name lab --user ops --key-file ~/.ssh/id_ed25519 -q 'type:host env:lab'
    """
    secret = _secret(key_file, certificate_file, password_stdin, passphrase_stdin)
    if not secret:
        raise BadInput("no secret is named", hint="add --key-file FILE or --password-stdin")
    values = _values(user, become, become_user, description)
    body = {"name": name, "kind": _kind(secret, become), "secret": secret, **values}
    with Client() as client:
        made = client.send("POST", "/credentials", body)
        if query:
            client.send("POST", f"/credentials/{name}/attachments", {"query": query})
            made = client.get(f"/credentials/{name}")
        write_record(made, output)


@app.command("list")
def list_credentials(output: OutputOption = Format.TABLE) -> None:
    """List the credentials. Example: qd credentials list"""
    with Client() as client:
        rows = client.rows("/credentials")
        if output in (Format.TABLE, Format.CSV):
            rows = ({**row, "attachments": [one["query"] for one in row["attachments"]]} for row in rows)
        write_rows(rows, output, COLUMNS)


@app.command()
def show(name: Name, output: OutputOption = Format.TABLE) -> None:
    """Show a credential and what it is attached to; its secret cannot be shown. Example: qd credentials show lab"""
    with Client() as client:
        write_record(client.get(f"/credentials/{name}"), output)


@app.command()
def update(
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    user: UserOption = None,
    key_file: KeyOption = None,
    certificate_file: CertificateOption = None,
    password_stdin: PasswordOption = False,
    passphrase_stdin: PassphraseOption = False,
    become: BecomeOption = None,
    become_user: BecomeUserOption = None,
    description: DescriptionOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Change a credential, or give it another secret. Example: qd credentials update lab --key-file ./new_key"""
    secret = _secret(key_file, certificate_file, password_stdin, passphrase_stdin)
    body: dict[str, Any] = _values(user, become, become_user, description)
    body |= {"name": new_name} if new_name else {}
    body |= {"secret": secret} if secret else {}
    if not body:
        raise BadInput("nothing is to be changed", hint="add --user, --key-file, --password-stdin or another option")
    with Client() as client:
        write_record(client.send("PATCH", f"/credentials/{name}", body), output)


@app.command()
def delete(name: Name) -> None:
    """Delete a credential with its secret. Example: qd credentials delete lab"""
    with Client() as client:
        client.send("DELETE", f"/credentials/{name}")
    note(f"credential {name} is deleted")


@app.command()
def attach(
    name: Name,
    query: Annotated[str, typer.Option("--query", "-q", help="Which items it is for.")],
    priority: Annotated[int, typer.Option("--priority", help="Where several are for an item, the highest counts.")] = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Let a credential be for the items of a query, now and later.

    Example: qd credentials attach web -q 'env:prod role:web' --priority 10
    """
    with Client() as client:
        made = client.send("POST", f"/credentials/{name}/attachments", {"query": query, "priority": priority})
        write_record(made, output)


@app.command()
def detach(
    name: Name,
    attachment: Annotated[int, typer.Argument(help="Id of the attachment, as `show` tells.", show_default=False)],
) -> None:
    """Take an attachment away; the credential stays. Example: qd credentials detach web 3"""
    with Client() as client:
        client.send("DELETE", f"/credentials/{name}/attachments/{attachment}")
    note(f"credential {name} is detached")


@app.command()
def resolve(
    item: Annotated[str, typer.Argument(help="Id of the item, its name, or type/name.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Tell which credentials are in force on an item. Example: qd credentials resolve web1"""
    with Client() as client:
        write_record(client.get(f"/items/{find_item(client, item)['id']}/credentials"), output)


@app.command()
def state(output: OutputOption = Format.TABLE) -> None:
    """Tell where the key of the credentials is, and whether it opens them all. Example: qd credentials state"""
    with Client() as client:
        write_record(client.get("/vault"), output)


@app.command()
def rotate(
    forget_lost: Annotated[
        bool, typer.Option("--forget-lost", help="Empty credentials whose key is lost; their secrets are given anew.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a new key and wrap every credential with it; goes on where it was interrupted.

    Example: qd credentials rotate
    """
    with Client() as client:
        write_record(client.send("POST", "/vault/rotate", {"forget_lost": forget_lost}), output)


def _secret(key: Path | None, certificate: Path | None, password: bool, passphrase: bool) -> dict[str, str]:
    """Return the parts that were named, read from their files and from stdin. Raises BadInput."""
    if password and (key or certificate or passphrase):
        raise BadInput("--password-stdin and a key exclude each other", hint="make two credentials")
    if (certificate or passphrase) and not key:
        raise BadInput("--certificate-file and --passphrase-stdin belong to a key", hint="add --key-file FILE")
    secret = {}
    if password:
        secret["password"] = _from_stdin("Password: ")
    if key:
        secret["private_key"] = _from_file(key)
    if certificate:
        secret["certificate"] = _from_file(certificate)
    if passphrase:
        secret["passphrase"] = _from_stdin("Passphrase: ")
    return secret


def _kind(secret: dict[str, str], become: str | None) -> str:
    if "private_key" in secret:
        return "ssh_certificate" if "certificate" in secret else "ssh_key"
    return "become_password" if become is not None else "password"


def _values(user: str | None, become: str | None, become_user: str | None, description: str | None) -> dict[str, Any]:
    given = {"username": user, "become_method": become, "become_user": become_user, "description": description}
    return {name: value for name, value in given.items() if value is not None}


def _from_file(path: Path) -> str:
    content = path.expanduser().read_bytes()
    if len(content) > _MAX_BYTES:
        raise BadInput(f"{path} is larger than 64 KB", hint="name the file with the key")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text", hint="name the file with the key, in OpenSSH's or PEM format") from error


def _from_stdin(prompt: str) -> str:
    """Read one line. Only the line end is taken off: blanks may belong to a password."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline(_MAX_BYTES).rstrip("\r\n")
