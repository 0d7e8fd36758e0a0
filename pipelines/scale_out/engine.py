"""Run `dbt build` on Spark in a process of its own, whose every file lies below the run-time folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import paths
from ..refusals import Refused
from ..transform import BuildFailed, environment


class NotInstalled(Refused):
    """Spark, dbt-spark or Java is not there; the message says how to get it."""


def folder() -> Path:
    """Where Spark keeps its tables, temporary files and dbt's artefacts. Emptied by each build."""
    return paths.var() / "work" / "spark"


def forget() -> None:
    """Remove everything that a build left: tables, temporary files, dbt's artefacts, the comparison. Call it under the round's lock."""
    shutil.rmtree(folder(), ignore_errors=True)
    if folder().exists():
        raise OSError(f"{folder()} could not be removed: it holds copies of what the log held before")


def packages() -> Path:
    """The folder of Spark's and dbt-spark's Python packages."""
    return Path(os.environ.get("OPENLANCE_SPARK_HOME") or paths.REPO / "var" / "tools" / "spark").absolute()


def missing() -> str:
    """What is needed and not there, with the command that brings it; "" when all of it is there."""
    if not java():
        return "Java is not installed (apt-get install openjdk-17-jre-headless, on Debian 13 openjdk-21-jre-headless)"
    if not (packages() / "pyspark").is_dir():
        return f"Spark is not in {packages()} (make pipeline ENGINE=spark installs requirements/spark.txt there)"
    return ""


def java() -> str | None:
    """The Java to run with: that of JAVA_HOME, else the first on the path."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def build(*arguments: str) -> Iterator[str]:
    """Lay the raw log before Spark and run `dbt build` with `arguments`, giving dbt's lines as they come.

    Every build is a whole one: it begins with an empty warehouse, so that incremental models are made as on a first run. Raises
    NotInstalled, or BuildFailed when a model or a blocking test fails.
    """
    lacking = missing()
    if lacking:
        raise NotInstalled(lacking)
    forget()
    home = folder()
    home.mkdir(parents=True)
    told = environment() | {
        "PYTHONPATH": os.pathsep.join([str(packages()), str(paths.REPO), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    log, said = home / "build.log", []
    with log.open("w", encoding="utf-8") as keep, (home / "spark.log").open("w", encoding="utf-8") as noise:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.scale_out.session", *arguments],
            env=told,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
        )
        try:
            for line in process.stdout or ():
                keep.write(line)
                said.append(line.rstrip())
                yield line.rstrip()
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()
            code = process.wait()
    if code:
        raise BuildFailed(code, log, [line for line in said if "Error" in line or "FAIL" in line or "ERROR" in line][-12:])
