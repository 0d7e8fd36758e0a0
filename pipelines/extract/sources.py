"""The operational database as the extraction sees it: its columns, its clock and transactions, one consistent snapshot.

MySQL/MariaDB is read by mysqlclient (imported only when used). It must be the primary: a replica shows no open transactions.
Rows come as one text each (lines.py), which costs the server no more than its own protocol, and are read off the driver's socket (wire.py)
without an object of each; the server makes the CRC32 of the lines while it sends them, and it must be that of the lines received.
SQLite is read whole: its single writer leaves no late commits, and a demo's tables are small.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from .. import paths, tls
from ..refusals import Refused
from .checksum import crc32
from .contracts import Contract
from .lines import OWN, STANDARD, Lines
from .types import MYSQL_KEY, Type, hash_key, row_text_mysql
from .watermark import Look, mark
from .wire import Packed, Sent, Wire

#: Rows a chunk at most; of how many bytes more than one row should not be; rows of the first, which tells how long they are. A server waits
#: between two chunks, and some of them are in memory at once.
CHUNK, CHUNK_BYTES, FIRST = 100_000, 1 << 25, 10_000
#: Keys whose rows are read value by value at once.
SPAN = 50_000
T = TypeVar("T")
#: The driver's numbers for a server that is gone: it ended, or ended the connection.
_GONE = {1053, 1927, 2006, 2013, 2055}


class SourceError(Refused):
    """The operational database cannot be reached, or went away; the message says which one, and where it was looked for."""


class Snapshot(Protocol):
    """All tables as of one moment."""

    #: Whether every row of the last `changed` came with a checksum that the source made of it, or was read from the file itself.
    verified: bool

    def changed(self, contract: Contract, low: str | None, chunk: int = CHUNK) -> Iterator[pa.Table]:
        """Rows with stamp ≥ `low`, at most `chunk` rows at a time, each row once; all rows in the order of their keys when it is None.

        To be read to its end, or closed, before the snapshot is asked for anything else.
        """

    def block(self, contract: Contract, first: int, past: int) -> Iterator[pa.Table]:
        """Rows with first ≤ key < past."""

    def existing(self, contract: Contract, keys: list[int]) -> set[int]:
        """Those of `keys` that are there."""

    def checksums(self, contract: Contract, size: int) -> list[tuple[int, int, int]] | None:
        """(block, rows, sum of the rows' CRC32) for each block of `size` keys; None when every row was read anyway."""

    def row_checksums(self, contract: Contract, first: int, past: int) -> dict[int, int] | None:
        """Key → the row's CRC32 as `checksums` adds it up, of rows with first ≤ key < past; None when every row was read anyway."""


class Source(Protocol):
    """One operational database."""

    typed: bool

    def columns(self, table: str) -> dict[str, tuple[Type | str, bool]]:
        """Column → (logical type or the database's own word for it, nullable); empty when there is no such table."""

    def look(self) -> Look:
        """The clock, then the running statements, then the open transactions."""

    def snapshot(self) -> contextlib.AbstractContextManager[Snapshot]:
        """A consistent read-only view that begins now."""

    def close(self) -> None: ...


@contextlib.contextmanager
def connect() -> Iterator[Source]:
    """The database of the environment: OPENLANCE_SQLITE, else OPENLANCE_DB_NAME, else the embedded profile's file."""
    file = os.environ.get("OPENLANCE_SQLITE", "")
    source: Source
    if file or not (os.environ.get("OPENLANCE_DB_NAME") or os.environ.get("OPENLANCE_DB_SOCKET")):
        source = SQLiteSource(Path(file) if file else paths.var() / "db.sqlite3")
    else:
        source = MySQLSource()
    try:
        yield source
    except Exception as fault:
        if isinstance(source, MySQLSource) and type(fault).__name__ == "OperationalError" and fault.args[:1] and fault.args[0] in _GONE:
            raise SourceError(f"the database went away while it was read ({fault.args[-1]}); nothing is lost, try again") from fault
        raise
    finally:
        source.close()


def _tables(contract: Contract, rows: Iterable[tuple[Any, ...]], read: Sequence[Callable[[Any], bytes | None]] = ()) -> Iterator[pa.Table]:
    """One Arrow table of exact types out of rows of database text (converted by `read`, column by column, where given)."""
    columns = list(zip(*rows, strict=True))
    if columns:
        if read:
            columns = [tuple(map(convert, column)) for convert, column in zip(read, columns, strict=True)]
        arrays = [kind.array(list(column)) for kind, column in zip(contract.types.values(), columns, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=schema(contract))


def schema(contract: Contract) -> pa.Schema:
    """The contract's columns in Arrow."""
    return pa.schema([pa.field(name, column.type.arrow) for name, column in contract.columns.items()])


# --------------------------------------------------------------------------- MySQL and MariaDB

_MYSQL_PLAIN = {"tinyint", "smallint", "bigint", "double", "date", "json", "uuid"}
#: Character sets whose bytes are those of UTF-8.
_UTF8 = {"utf8mb4", "utf8mb3", "utf8", "ascii"}


class MySQLSource:
    """A primary of MySQL 8 or MariaDB ≥ 10.6."""

    typed = True

    def __init__(self) -> None:
        self._control = self._connection()
        self._control.autocommit(True)
        self._utf8: dict[str, frozenset[str]] = {}

    def _connection(self) -> Any:
        import MySQLdb

        options: dict[str, Any] = {
            "user": os.environ.get("OPENLANCE_DB_USER", "root"),
            "passwd": os.environ.get("OPENLANCE_DB_PASSWORD", ""),
            "db": os.environ.get("OPENLANCE_DB_NAME", "openlance"),
            "charset": "utf8mb4",
            "use_unicode": False,
            "conv": {None: None},
        }
        socket = os.environ.get("OPENLANCE_DB_SOCKET", "")
        if socket:
            options["unix_socket"] = socket
        else:
            options |= {"host": os.environ.get("OPENLANCE_DB_HOST", "127.0.0.1"), "port": _port()}
        if authority := tls.authority():
            # libmysqlclient knows the mode; for MariaDB's library mysqlclient makes of it that the certificate and its host name are verified
            options |= {"ssl": {"ca": str(authority)}, "ssl_mode": "VERIFY_IDENTITY"}
        try:
            connection = MySQLdb.connect(**options)
        except MySQLdb.OperationalError as fault:
            where, look = (socket, "SOCKET") if socket else (f"{options['host']}:{options['port']}", "HOST, …_PORT")
            raise SourceError(
                f"the database {options['db']!r} at {where} cannot be reached as {options['user']!r}: {fault.args[-1]};"
                f" see that the server runs, and look at OPENLANCE_DB_{look}, …_NAME, …_USER and …_PASSWORD"
            ) from fault
        connection.query(f"SET {MYSQL_KEY} = CONVERT(UNHEX('{hash_key().encode().hex()}') USING utf8mb4)")
        connection.query("SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES', net_write_timeout = 3600")
        return connection

    def close(self) -> None:
        self._control.close()

    def _maria(self) -> tuple[int, ...]:
        """MariaDB's version; nothing for MySQL."""
        version = _query(self._control, "SELECT VERSION()")[0][0].lower()
        return tuple(map(int, version.split(".")[:2])) if "mariadb" in version else ()

    def _chains(self) -> bool:
        """MariaDB has it since 10.8."""
        return self._maria() >= (10, 8)

    def columns(self, table: str) -> dict[str, tuple[Type | str, bool]]:
        rows = _query(
            self._control,
            "SELECT column_name, data_type, column_type, character_maximum_length, numeric_precision, numeric_scale, datetime_precision, is_nullable,"
            " character_set_name"
            f" FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = {_quoted(table)} ORDER BY ordinal_position",
        )
        self._utf8[table] = frozenset(row[0] for row in rows if row[8] in _UTF8)
        return {row[0]: (_mysql_type(row), row[7] == "YES") for row in rows}

    def look(self) -> Look:
        """Clock and ages are taken in the server's own zone, in which InnoDB tells when a transaction began."""
        control = self._control
        t0 = _query(control, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)")[0][0]
        age = "time_ms" if self._maria() else "(time + 1) * 1000"
        statements = _query(
            control,
            f"SELECT id, CAST(UTC_TIMESTAMP(6) - INTERVAL GREATEST({age}, 0) * 1000 MICROSECOND AS CHAR) FROM information_schema.processlist"
            " WHERE command NOT IN ('Sleep', 'Daemon', 'Binlog Dump', 'Binlog Dump GTID') AND user <> 'system user' AND id <> CONNECTION_ID()",
        )
        control.query("SET SESSION time_zone = 'SYSTEM'")
        try:
            transactions = _query(
                control,
                "SELECT CONCAT_WS('/', trx_id, trx_mysql_thread_id, trx_started), trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW(6)), @@system_time_zone, @@global.lock_wait_timeout,"
                " CAST(UTC_TIMESTAMP(6) AS CHAR) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()",
            )
        finally:
            control.query("SET SESSION time_zone = '+00:00'")
        opened, wait = {}, timedelta(days=1)
        # The number of a read-only transaction is given again to later ones: connection and start belong to its name.
        for name, connection, seconds, zone, lock_wait, now in transactions:
            # Outside UTC a local clock repeats an hour once a year: an hour of margin keeps the age a lower bound.
            margin = 1 if zone in ("UTC", "GMT") else 3601
            opened[name] = (connection, mark(now) - timedelta(seconds=max(int(seconds), 0) + margin))
            wait = timedelta(seconds=int(lock_wait))
        return Look(mark(t0), {name: mark(at) for name, at in statements}, opened, wait)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        connection = self._connection()
        try:
            connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            with _wire(connection) as wire:
                yield _MySQLSnapshot(connection, wire, self._utf8, OWN if self._maria() else STANDARD, chains=self._chains())
        finally:
            connection.close()


def _port() -> int:
    told = os.environ.get("OPENLANCE_DB_PORT", "3306")
    if not told.isdecimal():
        raise SourceError(f"OPENLANCE_DB_PORT is {told!r}, and no number")
    return int(told)


@contextlib.contextmanager
def _wire(connection: Any) -> Iterator[Wire | None]:
    """The wire below a connection, where it can be read."""
    told = dict(_query(connection, "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_cipher', 'Compression')"))
    if told.get("Ssl_cipher") != "" or told.get("Compression", "OFF") != "OFF":
        yield None
        return
    with contextlib.closing(Wire(connection)) as wire:
        yield wire


@dataclass(frozen=True)
class _Chunk:
    """What the query ending in `rest` gave: rows as lines of `form`, or whole ones where a line would not do; the last row's stamp and key;
    the source's checksum of the lines."""

    form: Lines
    rest: str
    lines: Packed | Sent
    rows: list[tuple[Any, ...]]
    last: tuple[str, str]
    crc: str

    def __len__(self) -> int:
        return len(self.lines) or len(self.rows)


class _MySQLSnapshot:
    """`wire`: where the rows arrive; else the driver makes an object of each. `utf8`: columns of each table that are kept in UTF-8. `form`: how the server gives a LINESTRING. `chains`: whether its CRC32 goes on from
    one text to the next; else it adds up one of each."""

    def __init__(
        self, connection: Any, wire: Wire | None, utf8: Mapping[str, frozenset[str]], form: tuple[str, int], *, chains: bool
    ) -> None:
        self._connection, self._wire = connection, wire
        self._one_at_a_time = threading.Lock()
        self._utf8, self._form, self._chains = utf8, form, chains
        self.verified = True

    def changed(self, contract: Contract, low: str | None, chunk: int = CHUNK) -> Iterator[pa.Table]:
        """One thread has the source send the next chunks, a second one turns them into columns, while the caller works on the last ones."""
        self.verified = True
        lines = Lines(contract, self._utf8.get(contract.table, ()), self._form)
        with (
            contextlib.closing(ahead(self._chunks(lines, low, chunk), 2)) as chunks,
            contextlib.closing(ahead(self._columns(chunks), 2)) as tables,
        ):
            yield from tables

    def _chunks(self, lines: Lines, low: str | None, chunk: int) -> Iterator[_Chunk]:
        contract, rows = lines.contract, min(chunk, FIRST)
        rest = f" ORDER BY `{contract.key}` LIMIT {rows}" if low is None else _newer(contract, f"`{contract.stamp}` >= '{low}'", rows)
        while got := self._fetch(lines, rest):
            # The memory of the rows is another's once they are handed on.
            count, size = len(got), got.lines.size
            yield got
            if count < rows:
                return
            rows = min(chunk, max(CHUNK_BYTES * count // size, 1)) if size else rows
            rest = _after(contract, got.last, rows, by_key=low is None)
            lines = lines.next or lines

    def _fetch(self, lines: Lines, rest: str) -> _Chunk:
        """The rows of one query as lines; as rows when a line is longer than the server makes texts, or the last one does not tell its key."""
        connection, contract = self._connection, lines.contract
        sofar = f"CRC32(@crc, @line := {lines.sql})" if self._chains else f"@crc + CRC32(@line := {lines.sql})"
        select = f"SELECT IF((@crc := {sofar}) IS NULL, NULL, @line) FROM `{contract.table}`{rest}"
        with self._one_at_a_time:
            connection.query("SET @crc = 0")
            found = self._wire.read(select, *lines.mark) if self._wire else _received(connection, select)
            [(crc,)] = _query(connection, "SELECT CAST(@crc AS CHAR)")
        if found is not None and not len(found):
            return _Chunk(lines, rest, found, [], ("", ""), crc)
        end = found.last() if found else None
        last = lines.stamp_and_key(end) if end else None
        if found is None or last is None:
            rows, names = self._rows(contract, rest), list(contract.columns)
            stamp, key = (rows[-1][names.index(name)].decode() for name in (contract.stamp, contract.key))
            return _Chunk(lines, rest, Packed.of([]), rows, (stamp, key), "")
        return _Chunk(lines, rest, found, [], last, crc)

    def _columns(self, chunks: Iterator[_Chunk]) -> Iterator[pa.Table]:
        for got in chunks:
            if not got.rows:
                lines = got.lines.pack()
                table = None if lines is None else got.form.table(lines)
                if lines is not None and table is not None:
                    received = crc32(lines.text) if self._chains else sum(map(crc32, lines.each()))
                    self.verified &= got.crc == str(received)
                    yield table
                    continue
            self.verified = False
            yield from _tables(got.form.contract, got.rows or self._rows(got.form.contract, got.rest))

    def block(self, contract: Contract, first: int, past: int) -> Iterator[pa.Table]:
        yield from _tables(contract, self._rows(contract, f" WHERE `{contract.key}` >= {first} AND `{contract.key}` < {past}"))

    def existing(self, contract: Contract, keys: list[int]) -> set[int]:
        found: set[int] = set()
        for start in range(0, len(keys), 5000):
            some = ",".join(map(str, keys[start : start + 5000]))
            found |= {
                int(row[0])
                for row in _query(self._connection, f"SELECT `{contract.key}` FROM `{contract.table}` WHERE `{contract.key}` IN ({some})")
            }
        return found

    def checksums(self, contract: Contract, size: int) -> list[tuple[int, int, int]] | None:
        rows = _query(
            self._connection,
            f"SELECT `{contract.key}` DIV {size}, COUNT(*), SUM(CRC32({row_text_mysql(contract.types)})) FROM `{contract.table}` GROUP BY 1",
        )
        return [(int(block), int(count), int(crc)) for block, count, crc in rows]

    def row_checksums(self, contract: Contract, first: int, past: int) -> dict[int, int] | None:
        key = f"`{contract.key}`"
        crc = f"CRC32({row_text_mysql(contract.types)})"
        rows = _query(self._connection, f"SELECT {key}, {crc} FROM `{contract.table}` WHERE {key} >= {first} AND {key} < {past}")
        return {int(number): int(crc) for number, crc in rows}

    def _rows(self, contract: Contract, rest: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(kind.read_mysql(f"`{name}`") for name, kind in contract.types.items())
        with self._one_at_a_time:
            self._connection.query(f"SELECT {columns} FROM `{contract.table}`{rest}")
            return list(self._connection.use_result().fetch_row(maxrows=0))


def ahead(items: Iterator[T], depth: int = 3) -> Generator[T, None, None]:
    """The same items, up to `depth` of them made in a thread before they are asked for; closing waits for the one at work and drops the rest."""
    made: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    dropped = threading.Event()

    def put(item: T | None, failed: BaseException | None = None) -> None:
        while not dropped.is_set():
            with contextlib.suppress(queue.Full):
                return made.put((item, failed), timeout=0.1)

    def work() -> None:
        try:
            for item in items:
                put(item)
                if dropped.is_set():
                    return
            put(None)
        except BaseException as failed:
            put(None, failed)

    thread = threading.Thread(target=work, name="extract-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, failed = made.get()
            if failed is not None:
                raise failed
            if item is None:
                return
            yield item
    finally:
        dropped.set()
        thread.join()


def _received(connection: Any, sql: str) -> Packed | None:
    """What Wire.read gives, by way of the driver."""
    connection.query(sql)
    with _uncollected():
        found = [line for (line,) in connection.store_result().fetch_row(maxrows=0)]
    return None if None in found else Packed.of(found)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Thousands of new objects that all live on: to look for garbage among them again and again costs a quarter of making them."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _newer(contract: Contract, condition: str, chunk: int) -> str:
    return f" WHERE {condition} ORDER BY `{contract.stamp}`, `{contract.key}` LIMIT {chunk}"


def _after(contract: Contract, last: tuple[str, str], chunk: int, *, by_key: bool) -> str:
    """Where a chunk goes on after the row with this stamp and key."""
    x, y = last
    stamp, key = f"`{contract.stamp}`", f"`{contract.key}`"
    if by_key:
        return f" WHERE {key} > {y} ORDER BY {key} LIMIT {chunk}"
    # Spelt out: MySQL does not use an index for (stamp, key) > (x, y).
    return _newer(contract, f"{stamp} >= '{x}' AND ({stamp} > '{x}' OR {key} > {y})", chunk)


def _query(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    connection.query(sql)
    rows = connection.store_result().fetch_row(maxrows=0)
    return [tuple(value.decode() if isinstance(value, bytes) else value for value in row) for row in rows]


def _quoted(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"not a table name: {name!r}")
    return f"'{name}'"


def _mysql_type(row: tuple[Any, ...]) -> Type | str:
    _, kind, spelled, length, precision, scale, fraction, *_ = row
    if spelled.startswith("tinyint(1)") and "unsigned" not in spelled:
        return Type("boolean")
    if kind in ("int", "mediumint"):
        kind = "integer"
    if kind in ("tinyint", "smallint", "integer", "bigint"):
        return Type(("u" if "unsigned" in spelled else "") + kind)
    if kind in ("varchar", "char"):
        return Type("varchar", int(length))
    if kind == "decimal" and "unsigned" not in spelled:
        return Type("decimal", int(precision), int(scale))
    if kind == "datetime" and fraction == "6":
        return Type("timestamp")
    if kind in ("longtext", "mediumtext", "text"):
        return Type("text")
    return Type(kind) if kind in _MYSQL_PLAIN else spelled


# --------------------------------------------------------------------------- SQLite

_SQLITE_TYPES = {"integer": "bigint", "bool": "boolean", "datetime": "timestamp", "date": "date", "real": "double", "text": "text"}


class SQLiteSource:
    """The embedded profile's file. Raises FileNotFoundError when it is not there."""

    typed = False

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"no database at {file}; create it with `manage.py migrate`, or name one in OPENLANCE_SQLITE")
        self._file = file
        self._control = self._connection()

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=20)

    def close(self) -> None:
        self._control.close()

    def columns(self, table: str) -> dict[str, tuple[Type | str, bool]]:
        rows = self._control.execute(f'SELECT name, lower(type), "notnull", pk FROM pragma_table_xinfo({_quoted(table)})').fetchall()
        return {
            name: (Type(_SQLITE_TYPES[kind]) if kind in _SQLITE_TYPES else kind, not (notnull or pk)) for name, kind, notnull, pk in rows
        }

    def look(self) -> Look:
        """A snapshot of SQLite holds every commit before it, and no writer is at work inside it."""
        return Look(mark(self._control.execute("SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now')").fetchone()[0]))

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        connection = self._connection()
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield _SQLiteSnapshot(connection)
        finally:
            connection.close()


class _SQLiteSnapshot:
    verified = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def changed(self, contract: Contract, low: str | None, chunk: int = CHUNK) -> Iterator[pa.Table]:
        yield from self._read(contract, "", chunk)

    def block(self, contract: Contract, first: int, past: int) -> Iterator[pa.Table]:
        yield from self._read(contract, f'WHERE "{contract.key}" >= {first} AND "{contract.key}" < {past}', CHUNK)

    def existing(self, contract: Contract, keys: list[int]) -> set[int]:
        there = {row[0] for row in self._connection.execute(f'SELECT "{contract.key}" FROM "{contract.table}"')}
        return there & set(keys)

    def checksums(self, contract: Contract, size: int) -> list[tuple[int, int, int]] | None:
        return None

    def row_checksums(self, contract: Contract, first: int, past: int) -> dict[int, int] | None:
        return None

    def _read(self, contract: Contract, where: str, chunk: int) -> Iterator[pa.Table]:
        columns = ", ".join(f'"{name}"' for name in contract.columns)
        cursor = self._connection.execute(f'SELECT {columns} FROM "{contract.table}" {where} ORDER BY "{contract.key}"')
        read = [kind.from_sqlite for kind in contract.types.values()]
        while rows := cursor.fetchmany(chunk):
            yield from _tables(contract, rows, read)
