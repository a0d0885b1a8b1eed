"""qd docker: containers, images and networks on the hosts of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, OutputOption
from quarterdeck.cli.running import Ways, ways_of, work_off
from quarterdeck.core.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Docker on hosts, through SSH.")
network = typer.Typer(no_args_is_help=True, help="Networks of Docker.")
app.add_typer(network, name="network")
ContainerArgument = Annotated[str, typer.Argument(help="Name or id of the container.", show_default=False)]
CommandArgument = Annotated[list[str] | None, typer.Argument(help="Command with its arguments.", show_default=False)]
NetworkArgument = Annotated[str, typer.Argument(help="Name of the network.", show_default=False)]
EnvironmentOption = Annotated[list[str] | None, typer.Option("--env", help="NAME=value; may be repeated.")]
_CHANGES = {
    "start": "Start a container.",
    "stop": "Stop a container: SIGTERM, and SIGKILL after ten seconds.",
    "restart": "Stop a container and start it.",
    "kill": "End a container at once.",
    "pause": "Hold a container's processes.",
    "unpause": "Let a container's processes go on.",
    "inspect": "Print what the engine knows of a container, without its environment.",
    "stats": "Print how much of the machine a container uses now.",
}


def _do(operation: str, ways: Ways, output: Format, **more: object) -> None:
    work = {"operation": operation, **{name: value for name, value in more.items() if value}}
    with Client() as client:
        work_off(client, "docker", work, ways, output)


def _pairs(found: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for text in found or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f'"{text}" is not NAME=value', hint="LANG=C")
        pairs[name] = value
    return pairs


@app.command()
@ways_of
def ps(
    ways: Ways,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Those too that do not run.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the containers of each host."""
    _do("ps", ways, output, is_all=all_)


@app.command()
@ways_of
def images(ways: Ways, output: OutputOption = Format.TABLE) -> None:
    """List the images of each host."""
    _do("images", ways, output)


@app.command()
@ways_of
def run(
    ways: Ways,
    image: Annotated[str, typer.Argument(help="Image with its tag.", show_default=False)],
    command: CommandArgument = None,
    name: Annotated[str, typer.Option("--name", help="Name of the container.")] = "",
    detached: Annotated[bool, typer.Option("--background", help="Start it, and do not wait for its end.")] = False,
    remove: Annotated[bool, typer.Option("--rm", help="Remove it when it has ended.")] = False,
    network_: Annotated[
        str, typer.Option("--network", help="bridge, host, none, container:NAME, or a network's name.")
    ] = "bridge",
    publish: Annotated[list[str] | None, typer.Option("--publish", "-p", help="8080:80; may be repeated.")] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", help="/on/host:/inside:ro")] = None,
    environment: EnvironmentOption = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="NAME=value; may be repeated.")] = None,
    restart: Annotated[str, typer.Option("--restart", help="no, always, unless-stopped, on-failure:3")] = "no",
    user: Annotated[str, typer.Option("--user", help="Account inside.")] = "",
    memory_mb: Annotated[int, typer.Option("--memory-mb", help="Memory that it may use.")] = 0,
    cpus: Annotated[float, typer.Option("--cpus", help="Processors that it may use.")] = 0,
    pull: Annotated[str, typer.Option("--pull", help="missing, always or never.")] = "missing",
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a container on each host and run it.

    Example: qd docker run nginx:1.27 --name web -p 8080:80 --background --restart always -q role:web
    """
    _do(
        "run", ways, output, image=image, command=list(command or ()), name=name, detach=detached, is_removed=remove,
        network=network_, ports=list(publish or ()), mounts=list(volume or ()), environment=_pairs(environment),
        labels=_pairs(label), restart=restart, user=user, memory_mb=memory_mb, cpus=cpus, pulls=pull,
    )  # fmt: skip


@app.command("exec")
@ways_of
def exec_(
    ways: Ways,
    container: ContainerArgument,
    command: Annotated[list[str], typer.Argument(help="Command with its arguments.", show_default=False)],
    user: Annotated[str, typer.Option("--user", help="Account inside.")] = "",
    directory: Annotated[str, typer.Option("--directory", help="Directory inside.")] = "",
    environment: EnvironmentOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a command in a container of each host. Its options come after `--`."""
    _do(
        "exec", ways, output, container=container, command=command, user=user, directory=directory,
        environment=_pairs(environment),
    )  # fmt: skip


@app.command()
@ways_of
def logs(
    ways: Ways,
    container: ContainerArgument,
    tail: Annotated[int, typer.Option("--tail", min=0, help="Last lines.")] = 200,
    output: OutputOption = Format.TABLE,
) -> None:
    """Print the last lines that a container wrote on each host."""
    _do("logs", ways, output, container=container, tail=tail or 200)


@app.command()
@ways_of
def pull(
    ways: Ways,
    image: Annotated[str, typer.Argument(help="Image with its tag.", show_default=False)],
    output: OutputOption = Format.TABLE,
) -> None:
    """Fetch an image on each host."""
    _do("pull", ways, output, image=image)


@app.command("rm")
@ways_of
def remove(
    ways: Ways,
    container: ContainerArgument,
    force: Annotated[bool, typer.Option("--force", help="Also when it runs.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Remove a container on each host."""
    _do("remove", ways, output, container=container, by_force=force)


@app.command()
@ways_of
def prune(
    ways: Ways,
    kind: Annotated[str, typer.Argument(help="containers, images, networks or volumes.", show_default=False)],
    all_: Annotated[bool, typer.Option("--all", "-a", help="Images that have a tag too.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Remove what nothing uses any more; --check tells what that is."""
    _do("prune", ways, output, kind=kind, with_tagged=all_)


def _change(operation: str) -> None:
    @ways_of
    def command(ways: Ways, container: ContainerArgument, output: OutputOption = Format.TABLE) -> None:
        _do(operation, ways, output, container=container)

    command.__doc__ = _CHANGES[operation]
    app.command(operation)(command)


for _name in _CHANGES:
    _change(_name)


@network.command("list")
@ways_of
def network_list(ways: Ways, output: OutputOption = Format.TABLE) -> None:
    """List the networks of each host."""
    _do("networks", ways, output)


@network.command("create")
@ways_of
def network_create(
    ways: Ways,
    name: NetworkArgument,
    driver: Annotated[str, typer.Option("--driver", help="Its driver.")] = "bridge",
    subnet: Annotated[str, typer.Option("--subnet", help="10.9.0.0/24")] = "",
    internal: Annotated[bool, typer.Option("--internal", help="Without a way out.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a network on each host."""
    _do("network-create", ways, output, network=name, driver=driver, subnet=subnet, is_internal=internal)


@network.command("connect")
@ways_of
def network_connect(
    ways: Ways, name: NetworkArgument, container: ContainerArgument, output: OutputOption = Format.TABLE
) -> None:
    """Put a container on a network."""
    _do("network-connect", ways, output, network=name, container=container)


@network.command("disconnect")
@ways_of
def network_disconnect(
    ways: Ways, name: NetworkArgument, container: ContainerArgument, output: OutputOption = Format.TABLE
) -> None:
    """Take a container off a network."""
    _do("network-disconnect", ways, output, network=name, container=container)


@network.command("inspect")
@ways_of
def network_inspect(ways: Ways, name: NetworkArgument, output: OutputOption = Format.TABLE) -> None:
    """Show a network and who is on it."""
    _do("network-inspect", ways, output, network=name)


@network.command("rm")
@ways_of
def network_remove(ways: Ways, name: NetworkArgument, output: OutputOption = Format.TABLE) -> None:
    """Remove a network that nothing is on."""
    _do("network-remove", ways, output, network=name)
