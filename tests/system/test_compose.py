"""compose.yaml, Dockerfile and Caddyfile against the real binaries: every command, flag, setting, port, volume and health check, and the bus on TCP.

Docker is not needed: the services of compose.yaml are started as processes with its own commands and environment, where host names, ports and
folders of containers are put in place of what they mean on one host.
"""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BIN, ROOT, REPORTS, free_ports, http, wait_for

NODE = ROOT / "tools" / ".node" / "node_modules" / "node" / "bin" / "node"
OURS = ("broker", "accounts", "messaging", "templates", "inbox", "webhooks", "edge")
BUS, HTTP = "tcp://broker:5555", "8080"


def compose():
    """compose.yaml with anchors, merges and defaults of variables resolved."""
    script = "import yaml from 'yaml'; import fs from 'fs';" \
             "console.log(JSON.stringify(yaml.parse(fs.readFileSync(process.argv[1], 'utf8'), {merge: true, strict: true, uniqueKeys: true})))"
    node = str(NODE) if NODE.exists() else "node"
    text = subprocess.run([node, "--input-type=module", "-e", script, str(ROOT / "compose.yaml")], cwd=ROOT / "tests", stdout=subprocess.PIPE,
                          check=True, text=True, timeout=60).stdout
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    assert "${" not in text, "every variable has a default"
    return json.loads(text)


FILE = compose()
SERVICES = FILE["services"]


def mounts(name):
    """Folder in the container -> volume."""
    return {parts[1]: parts[0] for parts in (volume.split(":") for volume in SERVICES[name].get("volumes", []))}


def aviary(*args, env=None, timeout=60):
    return subprocess.run([str(BIN / args[0]), *args[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, env={**clean(), **(env or {})}, check=False)


def clean():
    return {name: value for name, value in os.environ.items() if not name.startswith("AVIARY_") or name in ("AVIARY_BIN", "AVIARY_SOURCE")}


class Laid:
    """The services of compose.yaml on this host: folders for volumes, free ports, localhost for names."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="aviary-"))
        self.bus_port, self.http_port = free_ports(), free_ports()
        self.running = {}

    def mount(self, name, inside):
        """The folder of the volume that the service has at this path."""
        volume = mounts(name)[inside]
        path = self.folder / "volumes" / volume
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def text(self, name, text):
        # What a mount is nested in comes last, so that "/data/keys" is not read as a part of "/data".
        for inside in sorted(mounts(name), key=len, reverse=True):
            text = re.sub(rf"{inside}(?=$|[/ ])", str(self.mount(name, inside)), text)
        text = text.replace("//broker:", "//127.0.0.1:").replace("//0.0.0.0:5555", f"//127.0.0.1:{self.bus_port}")
        text = text.replace("127.0.0.1:5555", f"127.0.0.1:{self.bus_port}").replace("127.0.0.1:8080", f"127.0.0.1:{self.http_port}")
        return text.replace("0.0.0.0:8080", f"127.0.0.1:{self.http_port}")

    def env(self, name):
        return {key: self.text(name, value) for key, value in SERVICES[name].get("environment", {}).items()}

    def command(self, name, words=None):
        return [self.text(name, word) for word in (words or SERVICES[name]["command"])]

    def nest(self, name):
        """Volumes inside others (keys in data) as links."""
        for inside in mounts(name):
            for outer in mounts(name):
                if inside.startswith(outer + "/"):
                    link = self.mount(name, outer) / inside[len(outer) + 1:]
                    if not link.exists():
                        link.symlink_to(self.mount(name, inside))

    def start(self, name):
        self.nest(name)
        command = self.command(name)
        log = open(self.folder / f"{name}.log", "ab")  # pylint: disable=consider-using-with
        self.running[name] = subprocess.Popen([str(BIN / command[0]), *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                              env={**clean(), **self.env(name)}, start_new_session=True)
        log.close()

    def healthy(self, name):
        words = SERVICES[name]["healthcheck"]["test"]
        assert words[0] == "CMD", words
        return aviary(*self.command(name, words[1:]), env=self.env(name)).returncode == 0

    def end(self):
        codes = {}
        for name in reversed(list(self.running)):
            self.running[name].send_signal(signal.SIGTERM)
            try:
                codes[name] = self.running[name].wait(15)
            except subprocess.TimeoutExpired:
                self.running[name].kill()
                codes[name] = self.running[name].wait()
        logs = "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))
        shutil.rmtree(self.folder)
        return codes, logs


# ---- the file itself ----


def test_one_container_for_each_service():
    binaries = {path.name[7:] for path in BIN.glob("aviary-*") if os.access(path, os.X_OK)} - {"sim"}  # no service: for tests
    ours = {name for name, service in SERVICES.items() if (service.get("command") or [""])[0].startswith("aviary-")}
    assert ours == binaries == set(OURS), (ours, binaries)
    assert all(SERVICES[name]["command"][0] == f"aviary-{name}" for name in ours)


def test_containers_are_hardened():
    for name, service in SERVICES.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        uid = service["user"].split(":")[0]
        assert uid.isdigit() and int(uid) > 0, name
        assert not service.get("privileged") and not service.get("pid") and service.get("network_mode", "none") == "none", name
        assert name == "front" or ("ports" not in service and "cap_add" not in service), f"only front is reached from outside, not {name}"
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in FILE["volumes"], f"{name}: {volume} is a named volume"
        for network in service.get("networks", []):
            assert network in FILE["networks"], (name, network)
    assert FILE["networks"]["bus"]["internal"] is True


def test_dependencies_can_be_met():
    conditions = {"service_healthy": "healthcheck", "service_completed_successfully": "command"}
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert conditions[how["condition"]] in SERVICES[other], (name, other)
    assert all("healthcheck" in SERVICES[name] for name in (*OURS, "front"))


def test_volumes_are_as_the_programs_want_them():
    for name in OURS:
        at = mounts(name)
        data = SERVICES[name]["command"][SERVICES[name]["command"].index("--data") + 1]
        assert at[data] == f"{name}-data", name
        assert at["/bus-keys"] == f"bus-keys-{name}", "each sees its own keys only"
        if name != "broker":
            assert at[f"{data}/keys"] == "keys", "one key file for all that seal and hash"
        others = [other for other in OURS if other != name and mounts(other)[data] == at[data]]
        assert not others, f"{name} shares its folder with {others}"
    made = {inside.split("/")[-1]: volume for inside, volume in mounts("bus-keys").items()}
    assert made == {name: f"bus-keys-{name}" for name in (*OURS, "cli")}


def test_flags_and_settings_are_known():
    laid = Laid()
    try:
        assert aviary("aviary", "key", "bus", "--out", str(laid.folder / "made")).returncode == 0
        for name in OURS:
            shutil.copytree(laid.folder / "made" / name, laid.mount(name, "/bus-keys"), dirs_exist_ok=True)
            program, *words = laid.command(name)
            told = aviary(program, "--help").stdout
            for flag in [word for word in words if word.startswith("--")]:
                assert re.search(rf"^  {flag}\b", told, re.M), (name, flag)
            done = aviary(program, *words, "--check-config", env=laid.env(name))
            assert done.returncode == 0, (name, done)
            assert aviary(program, *words, "--no-such-setting", "1", "--check-config", env=laid.env(name)).returncode in (64, 78), name
            if name == "broker":
                assert "environment" not in SERVICES[name]
                continue
            printed = dict(line.split(" = ", 1) for line in aviary(program, *words, "--print-config", env=laid.env(name)).stdout.splitlines())
            for variable, value in laid.env(name).items():
                own = f"AVIARY_{name.upper()}_"
                setting = f"{name}.{variable[len(own):].lower()}" if variable.startswith(own) else variable[7:].lower()
                assert printed.get(setting) == value, (name, variable, printed)
            wrong = aviary(program, *words, "--check-config", env={**laid.env(name), f"AVIARY_{name.upper()}_NO_SUCH": "1"})
            assert wrong.returncode in (64, 78), (name, wrong)
    finally:
        shutil.rmtree(laid.folder)


def test_ports_fit_together():
    broker = SERVICES["broker"]["command"]
    assert broker[broker.index("--listen") + 1] == "tcp://0.0.0.0:5555" and SERVICES["broker"]["expose"] == ["5555"]
    for name, service in SERVICES.items():
        bus = service.get("environment", {}).get("AVIARY_BUS", BUS)
        assert bus == BUS and ("AVIARY_BUS" not in service.get("environment", {}) or "bus" in service["networks"]), name
    edge = SERVICES["edge"]["command"]
    assert edge[edge.index("--listen") + 1] == f"0.0.0.0:{HTTP}" and SERVICES["edge"]["expose"] == [HTTP]
    assert set(SERVICES["edge"]["networks"]) & set(SERVICES["front"]["networks"]) == {"front"}
    caddy = (ROOT / "deploy" / "Caddyfile").read_text()
    assert re.findall(r"reverse_proxy (\S+)", caddy) == [f"edge:{HTTP}"]
    admin = re.search(r"admin (\S+)", caddy)[1]
    assert SERVICES["front"]["healthcheck"]["test"][-1].startswith(f"http://{admin}/")
    assert "AVIARY_SITE" in SERVICES["front"]["environment"] and "{$AVIARY_SITE:" in caddy
    assert SERVICES["front"]["command"][:2] == ["caddy", "run"] and SERVICES["front"]["command"][3] == "/etc/caddy/Caddyfile"
    assert caddy.count("{") == caddy.count("}")


def test_commands_of_the_tool_are_known():
    told = aviary("aviary", "--help").stdout
    seen = [SERVICES["bus-keys"]["command"][1:]] + [SERVICES[name]["healthcheck"]["test"][2:] for name in OURS]
    seen.append(re.search(r"aviary (.*?) &&", SERVICES["bootstrap"]["entrypoint"][2])[1].split())
    for words in seen:
        assert re.search(rf"^  {words[0]} ", told, re.M), words
        known = aviary("aviary", words[0], "--help").stdout
        for flag in [word for word in words if word.startswith("--")]:
            assert re.search(rf"^  {flag}\b", known, re.M), (words, flag)


def test_the_image_holds_what_is_run():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M))
    targets = {service["build"]["target"] for service in SERVICES.values()}
    assert targets <= set(stages.values()), (targets, stages)
    built = re.search(r"--target (.*)$", text, re.M)[1].split()
    copied = re.search(r"COPY --from=build (.*) /usr/local/bin/", text)[1].split()
    wanted = {"aviary", *(f"aviary-{name}" for name in OURS)}
    assert set(built) == wanted and {Path(path).name for path in copied} == wanted
    made = set(re.search(r"install -d -o 10001 -g 10001 -m 0700 (.*)$", text, re.M)[1].split())
    for name, service in SERVICES.items():
        assert service["user"] == "10001:10001" and service["build"]["target"] == ("front" if name == "front" else "aviary")
        assert name == "front" or set(mounts(name)) <= made, (name, mounts(name), made)
    assert text.count("USER 10001:10001") == 2


# ---- for real ----


def test_the_bus_on_tcp_with_curve_keys_works():
    laid = Laid()
    try:
        keys = laid.folder / "made"
        assert aviary("aviary", "key", "bus", "--out", str(keys)).returncode == 0
        for name in (*OURS, "cli"):
            service = "bootstrap" if name == "cli" else name
            shutil.copytree(keys / name, laid.mount(service, "/bus-keys"), dirs_exist_ok=True)
        laid.start("broker")
        wait_for(lambda: laid.healthy("broker"), 20, what="the broker's health check")
        assert not laid.healthy("accounts")
        for name in OURS[1:]:
            laid.start(name)
        for name in OURS[1:]:
            wait_for(lambda name=name: laid.healthy(name), 30, what=f"the health check of {name}")

        # The bootstrap container's own command; what comes after && only keeps it there.
        script = laid.text("bootstrap", SERVICES["bootstrap"]["entrypoint"][2]).replace("$$", "$").split("&&")[0]
        env = {**clean(), **laid.env("bootstrap"), "PATH": f"{BIN}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", script], env=env, check=True, timeout=60, stdout=subprocess.DEVNULL)
        found = json.loads((laid.mount("bootstrap", "/data") / "credentials.json").read_text())
        assert found["base_url"] == "https://localhost"

        key, data = found["app"]["test_key"], str(laid.mount("bootstrap", "/data"))
        cli = lambda *words: aviary("aviary", *words, "--data", data, env=laid.env("cli") | {"AVIARY_BUS_KEYS": str(keys / "cli")})
        assert cli("number", "add", "--number", "+14155550101").returncode == 0
        sent = http("POST", laid.http_port, "/v1/sms", {"from": "+14155550101", "to": ["+13125550178"], "text": "over TCP"}, key)
        assert sent.status == 201, sent
        wait_for(lambda: "delivered" in cli("explain", sent.json["id"]).stdout, 15, what="delivery")

        # Nobody without a known key, nobody under another's name, nothing that the schema does not grant.
        assert aviary("aviary", "key", "bus", "--out", str(laid.folder / "strange")).returncode == 0
        shutil.copy(keys / "cli" / "broker.pub", laid.folder / "strange" / "cli" / "broker.pub")
        posing = laid.folder / "posing"
        shutil.copytree(keys / "messaging", posing)
        for end in ("pub", "pub_secret"):
            (posing / f"messaging.{end}").rename(posing / f"cli.{end}")
        as_with = lambda folder: dict(laid.env("cli"), AVIARY_BUS_KEYS=str(folder))
        with concurrent.futures.ThreadPoolExecutor() as pool:  # each takes the seconds that a client waits for the broker
            refused = [pool.submit(aviary, "aviary", "key", "list", "--data", data, env=as_with(folder))
                       for folder in (laid.folder / "strange" / "cli", posing)]
            refused.append(pool.submit(aviary, "aviary", "health", "accounts", env=laid.env("messaging")))
            for done in refused:
                assert done.result().returncode != 0 and not done.result().stdout, done.result()
    finally:
        codes, logs = laid.end()
    assert all(code == 0 for code in codes.values()), codes
    assert not REPORTS.search(logs), REPORTS.search(logs)[0]
