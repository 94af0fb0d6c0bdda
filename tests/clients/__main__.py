"""``python -m tests.clients [names]``: see matrix."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.clients import matrix  # noqa: E402

sys.exit(matrix.main())
