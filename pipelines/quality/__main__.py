"""The commands of the quarantine; see the package."""

from __future__ import annotations

import argparse
import getpass
import sys

from .. import refusals
from . import __doc__ as about
from . import quarantine
from .checks import Finding


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 done, 1 nothing of that table is set aside, 2 the settings are wrong."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality", description=about, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    for name in ("release", "drop"):
        one = commands.add_parser(name)
        one.add_argument("table")
        one.add_argument("--reason", required=True)
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options))


def _act(options: argparse.Namespace) -> int:
    out = sys.stdout
    if options.command == "list":
        for why in quarantine.held():
            out.write(f"{why['table']}: {why['rows']} rows set aside since {why['since']}, last in run {why['run_seq']}\n")
            out.writelines(f"  {Finding(**found).line}\n" for found in why["findings"])
        if not quarantine.held():
            out.write("nothing is set aside\n")
        return 0
    act = quarantine.release if options.command == "release" else quarantine.drop
    try:
        findings = act(options.table, who=getpass.getuser(), reason=options.reason)
    except quarantine.UnknownTable as unknown:
        sys.stderr.write(f"{unknown}\n")
        return 1
    done = "accepted: the next run lets it in" if options.command == "release" else "forgotten: the next run checks what is there now"
    out.write(f"{options.table}: {done}\n" + "".join(f"  {finding.line}\n" for finding in findings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
