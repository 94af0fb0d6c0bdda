"""``python -m tests.access``: ask everything and write docs/access.md."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["WRITE_ACCESS"] = "1"
    sys.exit(pytest.main([str(Path(__file__).with_name("test_matrix.py")), "-q", *sys.argv[1:]]))
