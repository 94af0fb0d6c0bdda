"""Everything on one machine: servers, data, the gateway and an agent at work, in one terminal."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO

from hoopweb.local import keys, ports, processes, programs
from hoopweb.local.errors import LocalServerError
from hoopweb.local.keeper import Keeper
from hoopweb.local.place import is_writable, note, only_one, state_dir
from hoopweb.local.postgres import EmbeddedPostgres
from hoopweb.local.prepared import Prepared, asked_so_far
from hoopweb.local.processes import Program, Supervisor
from hoopweb.local.steps import Steps
from hoopweb.local.valkey import EmbeddedValkey

_PORT = 8000
_EMULATOR_PORT = 8084
_METRICS_PORT = 9808
_LOOK_EVERY = 0.4
_LARGEST_LOG = 20 * 1024 * 1024
_AGENT_PATIENCE = 90.0
_MOST_PORTS = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may ask for."""

    agent: bool = True
    loop: bool = False
    reload: bool = False
    once: bool = False


@dataclass(slots=True)
class Demo:
    """One run. ``start`` brings everything up, ``watch`` keeps it up, ``stop`` ends it all."""

    state: Path
    options: Options
    steps: Steps = field(default_factory=Steps)
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0
    postgres: EmbeddedPostgres | None = None
    valkey: EmbeddedValkey | None = None
    story: programs.Follower | None = None
    said: dict[str, programs.Follower] = field(default_factory=dict)
    prepared: Prepared = field(init=False)
    supervisor: Supervisor = field(init=False)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.prepared = Prepared(self.state)
        self.supervisor = Supervisor(self.state)
        self.keeper = Keeper(self.steps.say)

    @property
    def url(self) -> str:
        return self.env["SITE_URL"]

    def start(self, lock: IO[str]) -> None:
        """Bring everything up in order; each step is shown."""
        note(lock, f"{os.getpid()}\n")
        self._shorten_logs()
        with self.steps.step("keys"):
            self._environment()
        self._servers()
        note(lock, f"{os.getpid()}\n{self.url}\n")
        emulator = self._emulator()
        # When nothing has changed since the last run, there is nothing to look at first.
        prepared = self.prepared.holds(self.env)
        if not prepared:
            self._prepare()
        server, worker = self._gateway()
        if emulator:
            self._wait(emulator)
        if prepared:
            self.env["HOOPWEB_TOKEN"] = keys.read(self.state / "demo.env")["AGENT_TOKEN"]
        else:
            self._seed()
        self._wait_for_server(server, lock)
        self._wait(worker)
        # Nobody waits for the first sweep.
        self._run(programs.beat(self.env))

    def _seed(self) -> None:
        with self.steps.step("data") as step:
            from hoopweb.lib.errors import HoopwebError
            from hoopweb.management.commands.seed_demo import seed

            def say(text: str) -> None:
                step.detail = text

            try:
                self.env["HOOPWEB_TOKEN"] = seed(say=say).agent_token
            except HoopwebError as error:
                raise LocalServerError(error.detail) from error
        _let_go()
        self.prepared.remember(self.env)

    def _environment(self) -> None:
        """What every process gets; what the caller has set stands."""
        env = dict(os.environ)
        kept = keys.kept(self.state / "keys.env", keys.fresh)
        for name, value in kept.items():
            if f"{name}_FILE" not in env:
                env.setdefault(name, value)
        if not is_writable(env.get("HOME", "")):
            # Some libraries keep notes there and fail without.
            home = self.state / "home"
            home.mkdir(mode=0o700, exist_ok=True)
            env["HOME"] = str(home)
        self.port = ports.free_port(int(env.get("PORT") or _PORT))
        env.setdefault("SITE_URL", f"http://{programs.HOST}:{self.port}")
        env.setdefault("LOG_LEVEL", "INFO")
        env |= {
            "HOOPWEB_LOCAL": "1",
            "HOOPWEB_VAR": str(self.state),
            "HOOPWEB_URL": f"http://{programs.HOST}:{self.port}",
            "PYTHONUNBUFFERED": "1",
        }
        if self.options.reload:
            env["DEBUG"] = "1"
        self.env = env

    def _servers(self) -> None:
        if "DATABASE_URL" not in self.env and "DATABASE_URL_FILE" not in self.env:
            with self.steps.step("Postgres"):
                self.postgres = EmbeddedPostgres(self.state / "postgres")
                if not (self.postgres.place.data / "PG_VERSION").exists():
                    self.prepared.forget()
                self.env["DATABASE_URL"] = self.postgres.start()
        if "REDIS_URL" not in self.env and "REDIS_URL_FILE" not in self.env:
            with self.steps.step("Valkey"):
                self.valkey = EmbeddedValkey(self.state / "valkey")
                self.env["REDIS_URL"] = self.valkey.start()
        self._keep_server("Postgres", self.postgres)
        self._keep_server("Valkey", self.valkey)

    def _keep_server(self, name: str, server: EmbeddedPostgres | EmbeddedValkey | None) -> None:
        if server is not None:
            self.keeper.keep(
                name,
                has_ended=lambda: server.pid is not None and not processes.is_alive(server.pid),
                start=server.start,
                last_words=lambda: processes.tail(server.log),
            )

    def _emulator(self) -> Program | None:
        """Start it, unless a real account is named; waiting for it comes later."""
        if self.env.get("SNOWFLAKE_ACCOUNT"):
            return None
        secrets = keys.kept(
            self.state / "emulator.env", lambda: {"SNOWFLAKE_EMULATOR_TOKEN": keys.password()}
        )
        port = ports.free_port(_EMULATOR_PORT)
        self.env |= secrets | {"SNOWFLAKE_EMULATOR_PORT": str(port)}
        program = programs.emulator(self.env, port=port, data=self.state / "emulator")
        self._run(program)
        return program

    def _prepare(self) -> None:
        """Tables. Django is set up here, once its surroundings are known."""
        with self.steps.step("tables") as step:
            # Its own log lines would run through the progress.
            os.environ.update(self.env | {"LOG_LEVEL": "CRITICAL"})
            import django
            from django.core.management import call_command
            from django.db import connection
            from django.db.migrations.executor import MigrationExecutor

            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")
            django.setup(set_prefix=False)
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                call_command("migrate", interactive=False, verbosity=0)
            step.detail = f"{len(plan)} migrations" if plan else ""
        _let_go()
        # Files are served as they lie; the server only wants to see where collected ones would be.
        (self.state / "static").mkdir(exist_ok=True)

    def _wait_for_server(self, server: Program, lock: IO[str]) -> None:
        for _ in range(_MOST_PORTS):
            try:
                return self._wait(server)
            except LocalServerError:
                # Somebody else took the port between our look and the server's start.
                if not ports.answers(self.port) or not self._moved():
                    raise
            note(lock, f"{os.getpid()}\n{self.url}\n")
            server = programs.server(self.env, port=self.port, reload=self.options.reload)
            self._start_again(server)
            self.keeper.replace(server.name, partial(self._start_again, server))
        return self._wait(server)

    def _moved(self) -> bool:
        """Choose another port, unless the caller has fixed the address."""
        before, self.port = self.url, ports.free_port(self.port + 1)
        if not before.startswith(f"http://{programs.HOST}:"):
            return False
        self.env["SITE_URL"] = self.env["HOOPWEB_URL"] = f"http://{programs.HOST}:{self.port}"
        return True

    def _gateway(self) -> tuple[Program, Program]:
        log = self.supervisor.log_of
        reload = self.options.reload
        metrics = {"METRICS_PORT": str(ports.free_port(_METRICS_PORT))}
        server = programs.server(self.env, port=self.port, reload=reload)
        self._run(server)
        worker = programs.worker(self.env | metrics, log=log("worker"), reload=reload)
        self._run(worker)
        return server, worker

    def _run(self, program: Program) -> None:
        """Start without waiting, and keep it running."""
        self.said[program.name] = programs.Follower(self.supervisor.log_of(program.name))
        self.supervisor.start(replace(program, ready=None))
        self.keeper.keep(
            program.name,
            has_ended=lambda: program.name in self.supervisor.ended(),
            start=lambda: self._start_again(program),
            last_words=lambda: processes.tail(self.supervisor.log_of(program.name)),
        )

    def _start_again(self, program: Program) -> None:
        with contextlib.suppress(KeyError):
            self.supervisor.stop(program.name)
        self.supervisor.start(replace(program, ready=None))

    def _wait(self, program: Program) -> None:
        log = self.supervisor.log_of(program.name)
        said = self.said[program.name]
        process = self.supervisor.programs[program.name][1]
        with self.steps.step(program.name) as step:

            def ready() -> bool:
                assert program.ready is not None
                if program.name == "emulator" and (lines := said.lines()):
                    # Its first start makes a million rows and says how far it is.
                    step.detail = lines[-1].rpartition(" INFO ")[2][:60]
                # Whoever answers at its address must be the one that was started.
                return process.poll() is None and program.ready()

            try:
                processes.wait_until(
                    ready,
                    name=program.name,
                    process=process,
                    log=log,
                    seconds=program.seconds,
                )
            except LocalServerError:
                self.prepared.forget()
                raise
            step.detail = ""

    def start_agent(self) -> None:
        """Set the sample agent to work; return when one of its statements waits for a person."""
        program = programs.agent(self.env, loop=self.options.loop)
        self.story = programs.Follower(self.supervisor.log_of(program.name))
        url = self.env.get("DATABASE_URL") or Path(self.env["DATABASE_URL_FILE"]).read_text()
        asked = asked_so_far(url)
        with self.steps.step("agent", "works on its task") as step:
            self.supervisor.start(program)
            until = time.monotonic() + _AGENT_PATIENCE
            while time.monotonic() < until:
                self._tell_story()
                if asked_so_far(url) > asked:
                    step.detail = "asks for approval and waits"
                    return
                if program.name in self.supervisor.ended():
                    step.detail = "has ended"
                    # Perhaps its token was revoked: the next start looks at everything again.
                    self.prepared.forget()
                    return
                self.keeper.look()
                time.sleep(_LOOK_EVERY)
            step.detail = "still works"

    def _tell_story(self) -> None:
        """What the agent says, as it says it."""
        for line in self.story.lines() if self.story else ():
            self.steps.say(f"    {line}")

    def watch(self) -> None:
        """Keep everything up until someone asks to stop."""
        agent_runs = "agent" in self.supervisor.programs
        while True:
            self.keeper.look()
            self._tell_story()
            if agent_runs and "agent" in self.supervisor.ended():
                agent_runs = False
                self._tell_story()
                self.steps.say("The sample agent has finished. Its session can be replayed.")
            time.sleep(_LOOK_EVERY)

    def stop(self) -> None:
        with self.steps.step("stop"):
            # All are asked at once, then waited for in order; what they lean on goes last.
            for name in ("agent", "beat", "worker", "server"):
                if found := self.supervisor.programs.get(name):
                    with contextlib.suppress(ProcessLookupError):
                        found[1].send_signal(found[0].polite)
            self.supervisor.stop_all()
            for server in (self.valkey, self.postgres):
                if server is not None:
                    server.stop()

    def _shorten_logs(self) -> None:
        for log in (self.state / "log").glob("*.log"):
            if log.stat().st_size > _LARGEST_LOG:
                log.unlink()

    def welcome(self) -> None:
        """What to open and how to sign in."""
        people = keys.read(self.state / "demo.env")
        say = self.steps.say
        say()
        say(f"ready in {self.steps.seconds:.1f} s")
        say()
        if self.options.agent:
            say(f"  Open      {self.url}/approvals/  as rita: the agent's UPDATE waits for her")
            say(f"  Then      {self.url}/sessions/   as otto: replay what happened")
        else:
            say(f"  Open      {self.url}/")
        for name, role in (("rita", "reviewer"), ("otto", "auditor"), ("ada", "admin")):
            if password := people.get(name.upper()):
                say(f"  Sign in   {name:<5} {password}  {role}")
        say(f"  Logs      {self.state / 'log'}")
        say("  Stop      Ctrl-C; data stay. `make demo-reset` forgets everything.")
        say()


def _let_go() -> None:
    """Close what this process holds of the database: forking with its threads would be unwise."""
    from django.db import connection

    connection.close()
    # The wrapper of Postgres has a pool, which the base class does not know.
    connection.close_pool()  # type: ignore[attr-defined]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)  # the leash ends the children


def run(options: Options) -> int:
    """The whole demo. Returns the exit status."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _interrupt)
    state = state_dir()
    demo = Demo(state, options)
    try:
        with only_one(state) as lock:
            try:
                demo.start(lock)
                if options.agent:
                    demo.start_agent()
                demo.welcome()
                if not options.once:
                    demo.watch()
            except KeyboardInterrupt:
                demo.steps.say()
            finally:
                signal.signal(signal.SIGINT, _leave_at_once)
                demo.stop()
                note(lock, "")
    except LocalServerError as error:
        demo.steps.say(f"\n{error}")
        return 1
    return 0
