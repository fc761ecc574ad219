"""scripts/fetch-capstone.sh finds the mirrors that apt is configured with, in both file formats."""

import os
import pathlib
import subprocess
import tempfile

ONE_LINE = """\
# deb http://commented/debian bookworm main
deb http://one/debian/ bookworm main contrib
deb [arch=amd64 signed-by=/k/a.gpg] http://two/vendor bookworm main # a note
deb-src http://source/debian bookworm main
deb http://updates/debian bookworm-updates main
deb http://component/debian bookworm vendor
deb cdrom:[Debian 12]/ bookworm main
deb [ signed-by=ABCDEF trusted=yes ] https://three/mirror/debian stable contrib main
"""
DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://four/debian
 http://five/debian
suites: bookworm bookworm-updates
Components: main
Signed-By: /k/b.gpg

Types: deb
URIs: http://disabled/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://source/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://six/pool http://one/debian/
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDME
"""
# No blank line between this file and the one before, no newline at its end.
LAST = "Types: deb\nURIs: http://seven/debian\nSuites: bookworm\nComponents: main"
# Mirrors named as Debian's are come first; a key that is not a file is left to apt's own keyrings.
EXPECTED = """\
http://one/debian/ -
https://three/mirror/debian -
http://four/debian /k/b.gpg
http://five/debian /k/b.gpg
http://seven/debian -
http://two/vendor /k/a.gpg
http://six/pool -
"""

script = pathlib.Path(os.environ["BACKSTEP_SOURCE"]) / "scripts" / "fetch-capstone.sh"


def mirrors(folder):
    return subprocess.run([script, "--mirrors", "bookworm", folder], check=True,
                          capture_output=True, text=True).stdout


with tempfile.TemporaryDirectory() as folder:
    top = pathlib.Path(folder)
    assert mirrors(top) == ""
    (top / "sources.list").write_text(ONE_LINE)
    (top / "sources.list.d").mkdir()
    (top / "sources.list.d" / "a.sources").write_text(DEB822)
    (top / "sources.list.d" / "b.sources").write_text(LAST)
    found = mirrors(top)
    assert found == EXPECTED, found
