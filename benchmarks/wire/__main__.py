"""What the gateway adds to a statement, and how much it carries.

``python -m benchmarks.wire [--workers N] [--seconds N] [--rows N] [--only overhead,…]`` asks the
same upstream with the same client three ways (direct, through nginx, through the gateway), prints
tables, and ends with one line of JSON holding the same figures. The upstream answers from memory,
faster than the gateway: what is measured is the gateway. Everything runs on this machine.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.wire.canned import BIG, ONE, WIDE  # noqa: E402
from benchmarks.wire.seed import PROTECTED  # noqa: E402
from hoopweb.local.ports import free_port  # noqa: E402
from tests.stack import PYTHON, Stack  # noqa: E402

RATES = (20, 50, 100)
SESSIONS = 16
STATEMENTS = {"SELECT 1": ONE, "10 x 100": f"SELECT * FROM SHOP.{WIDE}"}  # noqa: S608
WAYS = ("direct", "nginx", "gateway")
# A rate holds when this share of it is answered, and the slowest hundredth within a second.
HOLDS, PATIENCE_MS = 0.97, 1_000


class Gateway(Stack):
    """The gateway as it runs in production, in front of the canned upstream."""

    def __init__(self, directory: Path, *, port: int, workers: int) -> None:
        super().__init__(
            directory,
            seed="benchmarks.wire.seed",
            DEBUG="0",
            LOG_LEVEL="WARNING",
            RESULT_MAX_ROWS="5000000",
            STATEMENTS_PER_MINUTE="1000000",
        )
        self._upstream, self._workers = port, workers

    def _start_warehouse(self) -> int:
        return self._upstream

    def start_web(self) -> None:
        self._launch(
            "web",
            *("-m", "uvicorn", "hoopweb.asgi:application", "--port", str(self.port)),
            *("--log-level", "warning", "--workers", str(self._workers)),
            ready=lambda: self._status("/readyz") == 200,
        )

    def worked(self) -> dict[str, float]:
        """Seconds of processor time so far: the web processes, and Postgres with its workers."""
        _, web = self.supervisor.programs["web"]
        data = Path(self.rows("SELECT current_setting('data_directory')")[0][0])
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        return {
            "gateway": sum(map(_worked, _family(web.pid))),
            "postgres": sum(map(_worked, _family(postmaster))),
        }

    def memory(self) -> float:
        """Resident memory of the web processes, in MB."""
        _, process = self.supervisor.programs["web"]
        return sum(_resident(pid) for pid in _family(process.pid))


def _family(pid: int) -> list[int]:
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += _family(int(child))
    return found


def _worked(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


class Nginx:
    """A bare reverse proxy with kept connections, in memory and on this machine only."""

    def __init__(self, directory: Path, upstream: int) -> None:
        self.port = free_port()
        directory.mkdir()
        config = directory / "nginx.conf"
        config.write_text(f"""
            daemon off; worker_processes 1; pid {directory}/pid; error_log stderr error;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; client_body_temp_path {directory}/body;
                proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
                uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
                upstream canned {{ server 127.0.0.1:{upstream}; keepalive 64; }}
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{
                        proxy_pass http://canned; proxy_http_version 1.1;
                        proxy_set_header Connection ""; proxy_set_header Host $http_host;
                        proxy_buffers 64 64k; proxy_buffer_size 64k;
                    }}
                }}
            }}""")
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        if not Path(binary).exists():
            raise SystemExit("This measurement compares with nginx. Install it: apt install nginx")
        self._process = subprocess.Popen([binary, "-c", str(config), "-p", str(directory)])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def ask(**order: Any) -> dict[str, Any]:
    """One measurement in a process of its own."""
    done = subprocess.run(
        [PYTHON, "-m", "benchmarks.wire.load"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=600,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Bench:
    """The three ways to the same answers."""

    def __init__(self, given: argparse.Namespace, gateway: Gateway, ports: dict[str, int]) -> None:
        self.given, self.gateway, self.ports = given, gateway, ports
        self.figures: dict[str, Any] = {}

    def _order(self, way: str, account: str = "plain", **more: Any) -> dict[str, Any]:
        token = str(self.gateway.seeded["token"])
        return {"port": self.ports[way], "token": token, "account": account, **more}

    def _rate(self, way: str, sql: str, rate: float, seconds: float) -> dict[str, Any]:
        order = self._order(way, kind="arrivals", sql=sql, rate=rate, seconds=seconds)
        return ask(**order, sessions=SESSIONS)

    def overhead(self) -> None:
        """Median and slowest hundredth at constant rates."""
        print("\nmilliseconds at a constant rate (p50 / p99)")
        print(f"{'':12}{'rate':>6}" + "".join(f"{way:>18}" for way in WAYS) + f"{'added':>18}")
        found: dict[str, Any] = {}
        for name, sql in STATEMENTS.items():
            for rate in RATES:
                per = {way: self._rate(way, sql, rate, self.given.seconds) for way in WAYS}
                added = [per["gateway"][q] - per["direct"][q] for q in ("p50", "p99")]
                failed = {way: each["failed"] for way, each in per.items() if each["failed"]}
                said = [f"{each['p50']:.2f} / {each['p99']:.2f}" for each in per.values()]
                said.append(f"{added[0]:.2f} / {added[1]:.2f}")
                print(f"{name:12}{rate:>6}" + "".join(f"{s:>18}" for s in said), failed or "")
                found[f"{name} at {rate}"] = {
                    **{way: {q: each[q] for q in ("p50", "p99")} for way, each in per.items()},
                    "added": {"p50": added[0], "p99": added[1]},
                    "failed": failed,
                }
        self.figures["overhead_ms"] = found

    def cost(self) -> None:
        """Processor time of one statement, which other work on the machine disturbs least."""
        print("\nprocessor time of one statement, milliseconds")
        found: dict[str, Any] = {}
        for name, sql in STATEMENTS.items():
            # Of a long run less a short one: what logging in costs is not the statements'.
            short, long = self._work(sql, 2), self._work(sql, self.given.seconds + 2)
            done = long["done"] - short["done"]
            taken = {who: 1000 * (long[who] - short[who]) / done for who in self.gateway.worked()}
            print(f"{name:12}" + "".join(f"{who:>12} {ms:6.2f}" for who, ms in taken.items()))
            found[name] = taken
        self.figures["processor_ms"] = found

    def _work(self, sql: str, seconds: float) -> dict[str, float]:
        before = self.gateway.worked()
        done = self._rate("gateway", sql, self.given.cost_rate, seconds)["done"]
        now = self.gateway.worked()
        return {"done": done, **{who: now[who] - before[who] for who in now}}

    def saturation(self) -> None:
        """The highest rate that holds."""
        print("\nstatements a second, the highest rate that holds")
        found: dict[str, Any] = {}
        for name, sql in STATEMENTS.items():
            for way, start in (("direct", 800), ("nginx", 800), ("gateway", self.given.start)):
                found[f"{name}, {way}"] = self._highest(way, sql, start)
                print(f"{name:12}{way:10}{found[f'{name}, {way}']:>8.0f}")
        self.figures["highest_rate"] = found

    def _highest(self, way: str, sql: str, start: float) -> float:
        held, step, rate = 0.0, start / 2, start
        for _ in range(6):
            seen = self._rate(way, sql, rate, 6)
            done = int(rate * 6)
            good = seen["done"] >= done and seen["rate"] >= rate * HOLDS
            if good and seen["p99"] < PATIENCE_MS:
                held = max(held, rate)
                if step == start / 2:
                    rate *= 2
                    start, step = rate, rate / 2
                    continue
                rate += step
            else:
                if held == 0 and step < 20:
                    break
                rate -= step
            step /= 2
        return held

    def rows(self) -> None:
        """A large result end to end."""
        print("\nrows a second as the client sees them, and memory of the gateway (MB)")
        found: dict[str, Any] = {}
        sql = f"SELECT * FROM SHOP.{BIG}"  # noqa: S608
        for way in ("direct", "nginx"):
            best = max(
                (ask(**self._order(way, kind="fetch", sql=sql, lines=4)) for _ in range(3)),
                key=lambda seen: float(seen["rate"]),
            )
            found[way] = best
            print(f"{way:24}{best['rate']:>12,.0f}")
        for account in PROTECTED:
            before = self.gateway.memory()
            watch = _Watch(self.gateway)
            runs = []
            for _ in range(3):
                order = self._order("gateway", account, kind="fetch", sql=sql, lines=4)
                runs.append(ask(**order))
            best = max(runs, key=lambda seen: float(seen["rate"]))
            most = watch.stop()
            time.sleep(1)
            after = self.gateway.memory()
            best |= {
                "of_nginx": best["rate"] / found["nginx"]["rate"],
                "memory": {"before": before, "most": most, "after": after},
            }
            found[f"gateway, {account}"] = best
            print(
                f"{'gateway, ' + account:24}{best['rate']:>12,.0f}{best['of_nginx']:>8.0%} of nginx"
                f"{before:>10.0f} before{most:>8.0f} most{after:>8.0f} after"
            )
        self.figures["rows"] = found


class _Watch(threading.Thread):
    """The most memory that the gateway takes meanwhile."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(daemon=True)
        self._gateway, self._over, self._most = gateway, threading.Event(), 0.0
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.1):
            self._most = max(self._most, self._gateway.memory())

    def stop(self) -> float:
        self._over.set()
        self.join()
        return self._most


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-wire")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--start", type=float, default=100, help="first rate tried for the most")
    parser.add_argument("--cost-rate", type=float, default=20, help="statements a second, for cost")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="cost,overhead,saturation,rows")
    given = parser.parse_args()
    canned = subprocess.Popen(
        [PYTHON, "-m", "benchmarks.wire.canned", "--rows", str(given.rows)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert canned.stdout is not None
    upstream = int(canned.stdout.readline())
    with tempfile.TemporaryDirectory(prefix="bench-wire") as folder:
        nginx = Nginx(Path(folder) / "nginx", upstream)
        try:
            with Gateway(Path(folder) / "stack", port=upstream, workers=given.workers) as gateway:
                ports = {"direct": upstream, "nginx": nginx.port, "gateway": gateway.port}
                bench = Bench(given, gateway, ports)
                for part in given.only.split(","):
                    getattr(bench, part)()
                print(json.dumps({"workers": given.workers, **bench.figures}, default=str))
        finally:
            nginx.stop()
            canned.terminate()
            canned.wait(timeout=10)


if __name__ == "__main__":
    main()
