"""dbt's processes. One that stays: a child that has imported dbt and parsed the project once, and builds on request.

    python -m pipelines.warm                  the child, asked by WarmDbt; it makes itself ready meanwhile
    python -m pipelines.warm build --select … what dbt itself does with these arguments, and sooner (`once`)

Belongs here: the child, and its life. It is a process of its own as every dbt is (its memory, its crash and its hold on the work
file are not the loop's); between builds it holds no file open. It dies with its parent, however that ends.
One line of JSON on its input asks for one build; its output is dbt's own, ended by a line that begins with the record separator.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from typing import Any

from . import paths, transform
from .failpoints import failpoint

_END = "\x1e"
_PR_SET_PDEATHSIG = 1


def project_digest() -> str:
    """Changes when any file of dbt's project does."""
    project, found = paths.dbt_project(), hashlib.sha256()
    for path in sorted(path for path in project.rglob("*") if path.is_file() and not path.name.startswith(".")):
        found.update(f"{path.relative_to(project)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


class WarmDbt:
    """The resident child, started when it is first asked and again when it has ended. Call it like transform.cold."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.starts = 0

    def start(self) -> None:
        """Have the child make itself ready, while something else goes on here."""
        self._running()

    def __call__(self, arguments: list[str]) -> Generator[str, None, int]:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"project": project_digest(), "arguments": arguments}) + "\n")
            process.stdin.flush()
        finished = False
        try:
            for line in process.stdout:
                failpoint("dbt.running", process.pid)
                if line.startswith(_END):
                    finished = True
                    told = json.loads(line[1:])
                    if told["error"]:
                        yield f"Error: {told['error']}"
                    return int(told["code"])
                yield line.rstrip()
            return process.wait()
        finally:
            if not finished:
                self.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.starts += 1
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.warm"],
                env=transform.environment(),
                cwd=paths.REPO,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # Ctrl-C is the parent's to hear: it ends the child when it is ready to
                start_new_session=True,
            )
        return self._process

    def close(self) -> None:
        """End the child at once; what it was building is rolled back when the work file is next opened."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()
            self._process = None


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            sys.exit(1)


def _let_go() -> None:
    """Close the work file: dbt-duckdb leaves it open to the end of its process, and nobody else could open it till then."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()


class _Builder:
    """Parses when the project changed, else builds with the project as it was parsed."""

    def __init__(self) -> None:
        self._digest = ""
        self._manifest: Any = None

    def parse(self, digest: str) -> str | None:
        """Why dbt could not read the project as it is now; None when it could, or had before."""
        from dbt.cli.main import dbtRunner

        if self._manifest is None or digest != self._digest:
            # without its manifest: the one that lies there tells the parent what the last build was
            parsed = dbtRunner().invoke(transform.arguments_of("parse", "--no-write-json"))
            if not parsed.success:
                return str(parsed.exception)
            self._manifest, self._digest = parsed.result, digest
            gc.freeze()
        return None

    def build(self, digest: str, arguments: list[str]) -> tuple[int, str]:
        from dbt.cli.main import dbtRunner

        if (refused := self.parse(digest)) is not None:
            return 2, refused
        # dbt writes what it compiles into the manifest it is given
        try:
            done = dbtRunner(manifest=self._manifest.deepcopy()).invoke(transform.arguments_of(*arguments))
        finally:
            _let_go()
        return (0 if done.success else 2 if done.exception else 1), str(done.exception or "")


def _imported() -> None:
    """Import dbt, and look for garbage seldom from here on.

    Nearly all that dbt makes lives as long as the process: to look through its modules and manifest again and again, and once more at the
    end, is a fifth of the time that a small build takes.
    """
    gc.disable()
    import dbt.adapters.duckdb
    import dbt.cli.main  # noqa: F401

    # what is there by now is no garbage; among what is made from here on, one looks a hundred times less often
    gc.freeze()
    gc.enable()
    gc.set_threshold(70_000, 50, 100)


def once(arguments: list[str]) -> None:
    """dbt as its own command runs it, ending the process with its code."""
    _imported()
    from dbt.cli.main import cli

    try:
        cli(arguments)
    finally:
        gc.freeze()


def main() -> int:
    """The child: one build a line, until its input ends."""
    if len(sys.argv) > 1:
        once(sys.argv[1:])
    _die_with_parent()
    _imported()
    builder = _Builder()
    # what is wrong with the project is told to whoever asks for a build
    builder.parse(project_digest())
    for line in sys.stdin:
        order = json.loads(line)
        code, error = builder.build(order["project"], order["arguments"])
        sys.stdout.write(f"{_END}{json.dumps({'code': code, 'error': error})}\n")
        sys.stdout.flush()
        # what this build made goes before the next one makes its own
        gc.collect()
    return 0


if __name__ == "__main__":
    sys.exit(main())
