"""TLS to the operational database: a MariaDB of the tests' own, with certificates of an authority that is thrown away.

Whoever comes by TCP must come encrypted (`REQUIRE SSL`): a connection in the clear fails every test here.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.local import services
from pipelines import paths, source_checks, tls
from pipelines.extract import load, sources

from .conftest import REPO, Source, connect

#: What the libraries below MySQLdb, dbt-mysql's driver and the clients say of a certificate that they do not believe.
REFUSED = (
    r"(?i)certificate verify failed|validation of ssl server certificate failed|verification failed|local issuer certificate|not trusted"
)
HERE, ELSEWHERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("db.elsewhere.example")


@dataclass
class Authority:
    """Signs certificates; `file` holds its own."""

    file: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.file.write_bytes(self._sign(self.key, self.file.name, None).public_bytes(serialization.Encoding.PEM))

    def issue(self, to: Path, host: x509.GeneralName) -> None:
        """A certificate for `host`, and its key, as `to`.pem and `to`.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        told = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        to.with_suffix(".key").write_bytes(told)
        to.with_suffix(".pem").write_bytes(self._sign(key, "database", host).public_bytes(serialization.Encoding.PEM))

    def _sign(self, key: ec.EllipticCurvePrivateKey, name: str, host: x509.GeneralName | None) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(self.file.name)).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        made = made.not_valid_after(now + datetime.timedelta(days=1))
        made = made.add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        if host is not None:
            made = made.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        return made.sign(self.key, hashes.SHA256())


def _name(of: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, of)])


@dataclass
class Server:
    """`ours` signed what it shows; `others` signed nothing of it."""

    env: dict[str, str]
    certificate: Path
    ours: Authority
    others: Authority

    def show(self, control: Any, host: x509.GeneralName) -> None:
        """From now on, a certificate for `host`."""
        self.ours.issue(self.certificate, host)
        control.query("FLUSH SSL")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("MySQLdb", reason="mysqlclient is not installed: TLS to MariaDB was not tested")
    if services.find_mariadbd() is None:
        pytest.skip("MariaDB is not installed: TLS to it was not tested")
    home = tmp_path_factory.mktemp("tls")
    ours, others, shown = Authority(home / "ours.pem"), Authority(home / "others.pem"), home / "shown"
    ours.issue(shown, HERE)
    options = (f"--ssl-cert={shown.with_suffix('.pem')}", f"--ssl-key={shown.with_suffix('.key')}")
    try:
        yield Server(services.start_mariadb(home / "db", durable=False, buffer_pool="64M", options=options), shown, ours, others)
    finally:
        services.stop(home / "db")


@pytest.fixture(scope="module")
def in_the_clear(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server that knows no TLS and lets everybody in."""
    home = tmp_path_factory.mktemp("clear")
    try:
        env = services.start_mariadb(home / "db", durable=False, buffer_pool="64M", options=("--skip-ssl",))
        with pytest.MonkeyPatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            with contextlib.closing(connect()) as control:
                control.query("CREATE DATABASE over_tls CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        yield env
    finally:
        services.stop(home / "db")


@pytest.fixture
def extract_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of `source`, on this server; reached by its socket until `over_tls`."""
    monkeypatch.delenv(tls.VARIABLE, raising=False)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    with contextlib.closing(connect()) as control:
        server.show(control, HERE)
        control.query("CREATE DATABASE IF NOT EXISTS over_tls CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        control.query("GRANT ALL ON *.* TO secured@'%' IDENTIFIED BY 'told to nobody' REQUIRE SSL")
        control.query("GRANT ALL ON *.* TO secured@localhost IDENTIFIED BY 'told to nobody' REQUIRE SSL")
    return "over_tls"


@pytest.fixture
def over_tls(source: Source, server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go on by TCP, as an installation does whose database is on another machine."""

    def go_on() -> None:
        monkeypatch.delenv("OPENLANCE_DB_SOCKET")
        monkeypatch.setenv("OPENLANCE_DB_HOST", "127.0.0.1")
        monkeypatch.setenv("OPENLANCE_DB_USER", "secured")
        monkeypatch.setenv("OPENLANCE_DB_PASSWORD", "told to nobody")
        monkeypatch.setenv(tls.VARIABLE, str(server.ours.file))

    return go_on


# --------------------------------------------------------------------------- the ways to the database


def by_extraction() -> str:
    with contextlib.closing(sources.MySQLSource()) as source:
        return str(sources._query(source._control, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1])


def by_the_web_app() -> str:
    from django.db.utils import ConnectionHandler

    from config.settings.base import mysql_database

    connection = ConnectionHandler({"default": mysql_database()})["default"]
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str(cursor.fetchone()[1])


def by_the_source_checks() -> str:
    """dbt tells nothing of its connection; the server lets no other than an encrypted one in."""
    if lacking := source_checks.missing():
        pytest.skip(lacking)
    assert source_checks.check().problems == []
    return "encrypted"


def by_the_shell() -> str:
    if shutil.which("mysql") is None:
        pytest.skip("there is no client mysql")
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.services", "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}"}
    command = [sys.executable, "webapp/manage.py", "dbshell", "--", "--batch", "-e", "SHOW SESSION STATUS LIKE 'Ssl_cipher'"]
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout.split("Ssl_cipher\t")[1].strip()


WAYS = [by_extraction, by_the_web_app, by_the_source_checks, by_the_shell]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[Callable[[], str]]:
    with django_db_blocker.unblock():
        yield request.param


# --------------------------------------------------------------------------- tests


def test_every_way_to_the_database_is_encrypted(over_tls: Callable[[], None], way: Callable[[], str]) -> None:
    over_tls()
    assert way() != ""


def test_a_certificate_of_another_authority_is_refused(
    over_tls: Callable[[], None], server: Server, way: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tls()
    monkeypatch.setenv(tls.VARIABLE, str(server.others.file))
    with pytest.raises(Exception, match=REFUSED):
        way()


def test_a_certificate_for_another_host_is_refused(
    source: Source, over_tls: Callable[[], None], server: Server, way: Callable[[], str]
) -> None:
    server.show(source.control, ELSEWHERE)
    over_tls()
    with pytest.raises(Exception, match=REFUSED):
        way()


def test_a_server_without_tls_is_refused(
    over_tls: Callable[[], None], in_the_clear: dict[str, str], way: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tls()
    for name in ("OPENLANCE_DB_PORT", "OPENLANCE_DB_USER", "OPENLANCE_DB_PASSWORD"):
        monkeypatch.setenv(name, in_the_clear[name])
    with pytest.raises(Exception, match=r"(?i)(ssl is required|does ?n.t support|does not support|tls/ssl error)"):
        way()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_without_the_authoritys_certificate_nobody_connects_and_the_file_is_named(
    over_tls: Callable[[], None], way: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    over_tls()
    named = tmp_path / "authority.pem"
    if content is not None:
        named.write_text(content)
    monkeypatch.setenv(tls.VARIABLE, str(named))
    with pytest.raises(Exception, match=rf"OPENLANCE_DB_TLS_CA: no CA certificate can be read from {named}"):
        way()


def test_a_socket_needs_no_certificate(source: Source, way: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tls.VARIABLE, "/nowhere/authority.pem")
    way()


def test_over_tls_the_same_rows_are_read_and_proven(source: Source, over_tls: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    source.sql("INSERT INTO item (name, amount) SELECT CONCAT('n', seq), NULLIF(seq MOD 7, 0) FROM seq_1_to_100")
    compared: list[str] = []
    monkeypatch.setattr(load, "_compare", lambda db, snapshot, contract, path: compared.append(contract.table))
    source.run(chunk=30)
    by_wire = source.state()
    shutil.rmtree(paths.raw())
    over_tls()
    monkeypatch.setattr(sources, "Wire", lambda connection: pytest.fail("what is encrypted cannot be read beside the driver"))
    source.run(chunk=30)
    assert source.state() == by_wire == source.rows()
    assert compared == [], "each chunk's checksum was the source's"
    source.sql("UPDATE item SET amount = 99 WHERE id = 50")
    source.delete(7)
    source.run(reconcile=True)
    assert source.state() == source.rows()


def test_over_tls_rows_whose_checksum_is_not_the_sources_are_compared(
    source: Source, over_tls: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source.sql("INSERT INTO item (name, amount) VALUES ('one', 1)")
    compared: list[str] = []
    monkeypatch.setattr(load, "_compare", lambda db, snapshot, contract, path: compared.append(contract.table))
    monkeypatch.setattr(sources, "crc32", lambda line: 1)
    over_tls()
    source.run()
    assert compared == ["item"]
