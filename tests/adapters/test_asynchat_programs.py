"""Real programs, as they are published, run over the drop-ins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from old_python import file_of_311, run_script

import framer
from framer_adapters import asynchat


def test_pyftpdlib(tmp_path: Path) -> None:
    """A file server: uploads, downloads and listings, plain and over TLS, both ways to connect."""
    pytest.importorskip("pyftpdlib", reason="needs pyftpdlib (the dependency group tests)")
    authority = trustme.CA()
    server, ca, home = (tmp_path / name for name in ("server.pem", "ca.pem", "home"))
    home.mkdir()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(server))
    authority.cert_pem.write_to_path(str(ca))
    output = run_script("ftp_session.py", server, ca, folder=home)
    assert output.split() == ["FTPHandler", "served", "TLS_FTPHandler", "served"]


def test_smtpd(tmp_path: Path) -> None:
    """A mail server: what Python 3.11 had, in all later ones as well."""
    output = run_script("mail_session.py", file_of_311("smtpd.py"), folder=tmp_path)
    assert output.splitlines() == ["use_poll False mails 2", "use_poll True mails 2"]


def test_cassandra_driver(tmp_path: Path) -> None:
    """A database client, whose reactor runs channels in a thread, and wakes them by a pipe."""
    pytest.importorskip("cassandra", reason="needs cassandra-driver (the dependency group tests)")
    assert run_script("cassandra_session.py", folder=tmp_path) == "answers 6\n"


INSTALL = """
import sys; sys.path.insert(0, {folder!r})
import framer_adapters.asynchat
try:
    framer_adapters.asynchat.install()
except RuntimeError as error:
    print(type(error).__name__, set(sys.modules) & {{"asyncore", "asynchat"}})
    framer_adapters.asynchat.install(force=True)
import asynchat
print(asynchat.__name__, asynchat.asyncore.__name__)
"""


def test_install_in_a_bare_python(tmp_path: Path) -> None:
    """Where the modules are gone they are back; where they are not, nothing is touched."""
    for module in (framer, asynchat):  # and nothing that was installed beside them
        package = Path(str(module.__file__)).parent
        (tmp_path / package.name).symlink_to(package)
        for shared in package.parent.glob("*__mypyc.*"):  # that of a compiled core
            (tmp_path / shared.name).symlink_to(shared)
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", INSTALL.format(folder=str(tmp_path))],
        capture_output=True,
        check=True,
        text=True,
    )
    *refused, names = ran.stdout.splitlines()
    assert names == "framer_adapters.asynchat framer_adapters.asyncore"
    assert refused == ([] if sys.version_info >= (3, 12) else ["UsageError set()"])
