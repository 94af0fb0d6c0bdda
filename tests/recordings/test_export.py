"""The bundle proves itself, to someone who has nothing of ours but the key."""

import io
import json
import re
import subprocess
import sys
import zipfile
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command

from recordings import checkpoints
from recordings.export import bundle
from recordings.models import AuditEntry
from recordings.payloads import PayloadDamagedError
from tests.recordings.conftest import stretch

pytestmark = pytest.mark.django_db


def unpack(content: bytes, place: Path) -> Path:
    zipfile.ZipFile(io.BytesIO(content)).extractall(place)
    return place


def run_its_script(place: Path) -> subprocess.CompletedProcess[str]:
    script = re.search(r"```python\n(.*?)```", (place / "VERIFY.md").read_text(), re.DOTALL)
    assert script is not None
    return subprocess.run(
        [sys.executable, "-c", script[1]], cwd=place, capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(tmp_path):
    for _ in range(3):
        stretch()
    session = stretch()
    for _ in range(2):
        stretch()
    checkpoints.write_checkpoint()
    return unpack(bundle(session), tmp_path / "bundle")


def test_it_holds_what_was_recorded_and_its_own_script_agrees(place):
    done = run_its_script(place)
    assert done.returncode == 0, done.stderr
    assert "Everything holds: 9 events, sealed, in checkpoint 1" in done.stdout
    record = json.loads((place / "session.json").read_text())
    assert [event["kind"] for event in record["events"]][:3] == [
        "session-opened",
        "prompt",
        "statement",
    ]
    (body,) = record["payloads"]
    table = pa.ipc.open_stream((place / body["file"]).read_bytes()).read_all()
    assert table.to_pydict() == {"EMAIL": ["***", "***"]}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("session.json", "Lyon", "Nice"),
        ("proof.json", '"index": 3', '"index": 2'),
        ("manifest.json", "session.json", "session.jsom"),
    ],
)
def test_its_script_finds_a_change(place, file, old, new):
    path = place / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert run_its_script(place).returncode != 0


def test_its_script_finds_a_change_even_when_the_manifest_is_not_looked_at(place):
    path = place / "session.json"
    path.write_text(path.read_text().replace("Lyon", "Nice"))
    guide = place / "VERIFY.md"
    guide.write_text(
        guide.read_text().replace(
            'assert sha(Path(name).read_bytes()).hex() == digest, f"{name} was changed"', "pass"
        )
    )
    assert "event 2 was changed" in run_its_script(place).stderr


def test_its_script_finds_another_body(place):
    (path,) = (place / "payloads").iterdir()
    path.write_bytes(path.read_bytes().replace(b"***", b"abc"))
    assert run_its_script(place).returncode != 0


def test_openssl_agrees(place):
    done = subprocess.run(
        [
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "public-key.pem",
            "-rawin",
            "-in",
            "manifest.json",
            "-sigfile",
            "manifest.sig",
        ],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unknown option" in done.stderr.lower() or "not found" in done.stderr.lower():
        pytest.skip("this OpenSSL knows no Ed25519 signatures")
    assert "Signature Verified Successfully" in done.stdout


def test_an_open_session_says_how_far_its_proof_reaches(tmp_path):
    place = unpack(bundle(stretch(close=False)), tmp_path / "open")
    assert json.loads((place / "proof.json").read_text())["state"] == "open"
    assert "No checkpoint yet: open" in run_its_script(place).stderr


def test_a_damaged_body_is_not_exported(owning):
    session = stretch()
    with owning() as cursor:
        cursor.execute("UPDATE recordings_payload SET body = NULL")
    with pytest.raises(PayloadDamagedError):
        bundle(session)


def test_the_command_writes_a_bundle_and_says_who_took_it(tmp_path):
    session = stretch()
    out, target = StringIO(), tmp_path / "bundle.zip"
    call_command("export_session", str(session.pk), to=target, stdout=out)
    assert zipfile.is_zipfile(target)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id) == ("session-exported", str(session.pk))
    with pytest.raises(CommandError, match="exists"):
        call_command("export_session", str(session.pk), to=target)
