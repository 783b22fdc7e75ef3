"""Where the lock file takes packages from."""

import re
from pathlib import Path
from urllib.parse import urlsplit

LOCK = Path(__file__).parents[2] / "uv.lock"


def test_the_lock_file_names_only_the_public_index() -> None:
    addresses = re.findall(r"\w+://[^\s\"']+", LOCK.read_text())
    assert {urlsplit(address).netloc for address in addresses} == {"pypi.org", "files.pythonhosted.org"}
