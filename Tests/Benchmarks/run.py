#!/usr/bin/env python3
"""Runs tendril-vpn and its peers side by side, in one run, and prints ratios of medians.

Everything happens in two network namespaces of its own, joined by veth or by the WAN of tendril-bench. See
docs/performance.md for what each row means and how to read it.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

A, B = f"tbench{os.getpid()}a", f"tbench{os.getpid()}b"
WIRE = {"a": "192.0.2.1", "b": "192.0.2.2"}
TUNNEL = {"a": "10.98.0.1", "b": "10.98.0.2"}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def inside(namespace, *command):
    return ["ip", "netns", "exec", namespace, *[str(part) for part in command]]


class Processes:
    """What was started, to be ended by process id."""

    def __init__(self):
        self.all = []

    def start(self, namespace, *command, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(inside(namespace, *command), start_new_session=True, **options)
        self.all.append(process)
        return process

    def end(self, process, number=signal.SIGTERM):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process in self.all:
            self.all.remove(process)

    def end_all(self):
        for process in list(self.all):
            self.end(process)


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid, field="VmHWM"):
    """The peak, or the current amount (VmRSS), of resident memory in MiB."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0


class Bench:
    def __init__(self, options):
        self.options = options
        self.processes = Processes()
        self.directory = tempfile.mkdtemp(prefix="tendril-bench-")
        self.pki = f"{self.directory}/pki"
        run(options.program, "certificates", "--cluster", "bench", "--out", self.pki, stdout=subprocess.DEVNULL)
        self.wan = None
        self.results = {}

    # Namespaces

    def namespaces_up(self):
        for name in (A, B):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")

    def namespaces_down(self):
        for name in (A, B):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

    def wire(self, congestion, wan=None):
        """Joins the namespaces anew: by veth, or by a WAN of (Mbit/s, ms, queue bytes, loss)."""
        if self.wan:
            self.wan.stdin.close()
            self.processes.end(self.wan)
            self.wan = None
        subprocess.run(["ip", "-n", A, "link", "del", "wire"], stderr=subprocess.DEVNULL)
        name = "wire"
        if wan is None:
            run("ip", "link", "add", "wire", "netns", A, "type", "veth", "peer", "name", "wire", "netns", B)
        else:
            rate, delay, queue, loss = wan
            name = "wan"
            self.wan = subprocess.Popen(
                [self.options.tools, "wan", "--first", f"/run/netns/{A}", "--second", f"/run/netns/{B}", "--rate",
                 str(rate), "--delay", str(delay), "--queue", str(queue), "--loss", str(loss)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
            self.processes.all.append(self.wan)
            self.wan.stdout.readline()
        for side, namespace in (("a", A), ("b", B)):
            run("ip", "-n", namespace, "addr", "add", f"{WIRE[side]}/24", "dev", name)
            run("ip", "-n", namespace, "link", "set", name, "up", "txqueuelen", "1000")
            run("ip", "-n", namespace, "route", "replace", "192.0.2.0/24", "dev", name, "src", WIRE[side], "congctl",
                congestion)

    # Peers: each returns the process ids of its two daemons

    def start_raw(self):
        self.target = WIRE["b"]
        return []

    def tendril_command(self, role, *more):
        own = "a" if role == "server" else "b"
        command = [
            self.options.program, role, "--ca", f"{self.pki}/ca.crt", "--certificate", f"{self.pki}/{role}.crt",
            "--key", f"{self.pki}/{role}.key", "--gate-key", f"{self.pki}/gate.key", "--address",
            f"{TUNNEL[own]}/24", "--network", "10.2.0.0/24", "--socket", f"{self.directory}/{role}.sock",
            "--log-level", "warning", *more]
        if role == "server":
            return command + ["--listen", f"{WIRE['a']}:8132"]
        return command + ["--server", f"{WIRE['a']}:8132"]

    def start_tendril(self, *more):
        log = open(f"{self.directory}/tendril.log", "ab")
        server = self.processes.start(A, *self.tendril_command("server", *more), stderr=log)
        client = self.processes.start(B, *self.tendril_command("client", *more), stderr=log)
        return self.tunnel_up(server, client)

    def start_openvpn(self, protocol, *more):
        common = [
            "openvpn", "--dev", "tun0", "--ca", f"{self.pki}/ca.crt", "--data-ciphers", "AES-256-GCM",
            "--data-ciphers-fallback", "AES-256-GCM", "--verb", "1", "--keepalive", "10", "60", *more]
        names = {"tcp": ("tcp-server", "tcp-client"), "udp": ("udp", "udp")}[protocol]
        server = self.processes.start(
            A, *common, "--proto", names[0], "--local", WIRE["a"], "--tls-server", "--dh", "none", "--cert",
            f"{self.pki}/server.crt", "--key", f"{self.pki}/server.key", "--ifconfig", TUNNEL["a"], TUNNEL["b"])
        time.sleep(0.3)
        client = self.processes.start(
            B, *common, "--proto", names[1], "--remote", WIRE["a"], "--nobind", "--tls-client", "--cert",
            f"{self.pki}/client.crt", "--key", f"{self.pki}/client.key", "--ifconfig", TUNNEL["b"], TUNNEL["a"])
        return self.tunnel_up(server, client)

    def start_wireguard(self, program):
        keys = {}
        for side in "ab":
            private = run("wg", "genkey", capture_output=True, text=True).stdout.strip()
            keys[side] = (private, run("wg", "pubkey", input=private, capture_output=True, text=True).stdout.strip())
        daemons = []
        for side, namespace, other in (("a", A, "b"), ("b", B, "a")):
            name = f"wgb{os.getpid()}{side}"[:15]
            environment = dict(os.environ, WG_PROCESS_FOREGROUND="1", LOG_LEVEL="silent")
            daemons.append(self.processes.start(namespace, program, "--foreground", name, env=environment))
            self.until(lambda: os.path.exists(f"/var/run/wireguard/{name}.sock"))
            path = f"{self.directory}/wg-{side}.key"
            with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write(keys[side][0])
            run(*inside(namespace, "wg", "set", name, "listen-port", "51820", "private-key", path, "peer",
                        keys[other][1], "endpoint", f"{WIRE[other]}:51820", "allowed-ips", f"{TUNNEL[other]}/32"))
            run("ip", "-n", namespace, "addr", "add", f"{TUNNEL[side]}/24", "dev", name)
            run("ip", "-n", namespace, "link", "set", name, "up")
        return self.tunnel_up(*daemons)

    def tunnel_up(self, server, client):
        self.target = TUNNEL["b"]
        self.until(lambda: subprocess.run(
            inside(A, "ping", "-c", "1", "-W", "1", self.target), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0)
        return [server.pid, client.pid]

    @staticmethod
    def until(condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("a peer did not come up")
            time.sleep(0.02)

    # Workloads

    def tool(self, namespace, *command, timeout=30):
        output = run(*inside(namespace, self.options.tools, *command), capture_output=True, text=True,
                     timeout=timeout).stdout
        return json.loads(output.strip().splitlines()[-1])

    def iperf_server(self):
        """A server of its own for each run: one that lost its client without a word stays busy. Returns the port."""
        self.port = 5201 if getattr(self, "port", 0) > 20000 else getattr(self, "port", 5200) + 1
        server = self.processes.start(B, "iperf3", "-s", "-1", "-p", self.port)
        time.sleep(0.15)
        return server, self.port

    def iperf(self, seconds, *more, congestion=None):
        server, port = self.iperf_server()
        command = ["iperf3", "-c", self.target, "-p", str(port), "-t", str(seconds), "-J", *more]
        if congestion:
            command += ["-C", congestion]
        done = subprocess.run(inside(A, *command), capture_output=True, text=True, timeout=seconds + 20)
        self.processes.end(server)
        try:
            received = json.loads(done.stdout)["end"]["sum_received"]
        except (KeyError, ValueError) as error:
            raise TimeoutError(f"iperf3 failed: {done.stdout[-200:]}") from error
        return received["bits_per_second"] / 1e9, received["bytes"]

    def beside_bulk(self, congestion, settle, seconds):
        """Request and response beside a bulk flow that must be there from before to after."""
        server, port = self.iperf_server()
        bulk = self.processes.start(A, "iperf3", "-c", self.target, "-p", port, "-t", settle + seconds + 3, "-C", congestion)
        time.sleep(settle)
        loaded = self.tool(A, "rr", "--connect", f"{self.target}:7", "--seconds", seconds)
        if bulk.poll() is not None:
            raise TimeoutError("the bulk flow ended too early")
        self.processes.end(bulk)
        self.processes.end(server)
        return loaded

    def with_cpu(self, pids, work):
        before = cpu_seconds(pids) if pids else 0
        gbit, count = work()
        used = cpu_seconds(pids) - before if pids else 0
        return gbit, used / (count / 1e9) if count and pids else 0

    def note(self, peer, metric, value):
        self.results.setdefault(metric, {}).setdefault(peer, []).append(value)

    def median(self, metric, peer):
        values = self.results.get(metric, {}).get(peer)
        return statistics.median(values) if values else None

    def lan(self, peer, pids, congestion):
        seconds = self.options.seconds
        suffix = f" [{congestion}]"
        gbit, cpu = self.with_cpu(pids, lambda: self.iperf(seconds, congestion=congestion))
        self.note(peer, "one flow Gbit/s" + suffix, gbit)
        self.note(peer, "CPU s/GB" + suffix, cpu)
        self.note(peer, "reverse Gbit/s" + suffix, self.iperf(seconds, "-R", congestion=congestion)[0])
        self.note(peer, "eight flows Gbit/s" + suffix, self.iperf(seconds, "-P", "8", congestion=congestion)[0])
        loaded = self.beside_bulk(congestion, 0.7, seconds)
        self.note(peer, "loaded p50 ms" + suffix, loaded["p50_us"] / 1000)
        self.note(peer, "loaded p99 ms" + suffix, loaded["p99_us"] / 1000)

    def small(self, peer, pids):
        seconds = self.options.seconds
        idle = self.tool(A, "rr", "--connect", f"{self.target}:7", "--seconds", seconds)
        self.note(peer, "idle p50 us", idle["p50_us"])
        self.note(peer, "idle p99 us", idle["p99_us"])
        self.note(peer, "connections/s",
                  self.tool(A, "connections", "--connect", f"{self.target}:7", "--seconds", seconds)["per_second"])
        sink = self.processes.start(B, self.options.tools, "sink", "--listen", f"{self.target}:9", "--seconds",
                                    str(seconds), stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)
        self.tool(A, "blast", "--connect", f"{self.target}:9", "--seconds", seconds + 0.5)
        figures = json.loads(sink.stdout.readline() or "{}")
        self.processes.end(sink)
        self.note(peer, "UDP 64 B k/s", figures.get("per_second", 0) / 1000)

    def servers_up(self):
        self.servers = [
            self.processes.start(B, self.options.tools, "echo", "--listen", "0.0.0.0:7"),
        ]
        time.sleep(0.3)

    # Rows

    def peers(self):
        peers = [
            ("no tunnel", self.start_raw),
            ("tendril", self.start_tendril),
            ("OpenVPN TCP", lambda: self.start_openvpn("tcp")),
            ("OpenVPN TCP nodelay", lambda: self.start_openvpn("tcp", "--tcp-nodelay")),
            ("OpenVPN UDP", lambda: self.start_openvpn("udp")),
            ("wireguard-go", lambda: self.start_wireguard("wireguard-go")),
        ]
        newer = os.environ.get("WIREGUARD_GO")
        if newer:
            peers.append(("wireguard-go newer", lambda: self.start_wireguard(newer)))
        wanted = self.options.peers.split(",") if self.options.peers else None
        return [(name, start) for name, start in peers if wanted is None or name in wanted]

    def each_peer(self, work, peers=None):
        for name, start in peers or self.peers():
            try:
                pids = start()
                work(name, pids)
                for metric, pid in zip(("memory server MiB", "memory client MiB"), pids):
                    self.note(name, metric, memory(pid))
            except (TimeoutError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                print(f"  {name}: {error}", file=sys.stderr)
            for process in [p for p in self.processes.all if p not in self.servers and p is not self.wan]:
                self.processes.end(process)
            time.sleep(0.2)

    def run_lan(self):
        for congestion in self.congestions():
            self.wire(congestion)
            for round_ in range(self.options.rounds):
                print(f"round {round_ + 1} of {self.options.rounds}, {congestion}", file=sys.stderr)
                self.each_peer(lambda name, pids: self.lan(name, pids, congestion))
                self.tls_stream(congestion)
        for _ in range(self.options.rounds):
            self.each_peer(self.small)

    def tls_stream(self, congestion):
        server = self.processes.start(B, self.options.tools, "tls-stream", "--pki", self.pki, "--listen",
                                      f"{WIRE['b']}:4433", stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)
        run(*inside(A, self.options.tools, "tls-stream", "--pki", self.pki, "--connect", f"{WIRE['b']}:4433",
                    "--seconds", self.options.seconds))
        self.note("raw TLS stream", f"one flow Gbit/s [{congestion}]", json.loads(server.stdout.readline())["gbit"])
        self.processes.end(server)

    def congestions(self):
        with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as file:
            available = file.read().split()
        return [name for name in ("bbr", "cubic") if name in available]

    def wan_peers(self):
        wanted = ("no tunnel", "tendril", "OpenVPN UDP", "OpenVPN TCP nodelay")
        return [(name, start) for name, start in self.peers() if name in wanted]

    def run_wan(self):
        for _ in range(self.options.rounds):
            self.wire("cubic", wan=(300, 5, 1_000_000, 0))
            self.each_peer(self.wan_latency, self.wan_peers())
        lossy = [(name, start) for name, start in self.wan_peers()]
        if "bbr" in self.congestions():
            lossy.append(("tendril bbr", lambda: self.start_tendril("--congestion-control", "bbr")))
        for _ in range(self.options.rounds):
            self.wire("cubic", wan=(300, 5, 1_000_000, 0.01))
            self.each_peer(self.wan_loss, lossy)

    def wan_latency(self, name, pids):
        loaded = self.beside_bulk("cubic", 2.5, 4)
        self.note(name, "WAN loaded p50 ms", loaded["p50_us"] / 1000)
        self.note(name, "WAN loaded p99 ms", loaded["p99_us"] / 1000)

    def wan_loss(self, name, pids):
        self.note(name, "WAN 1 % loss Mbit/s", self.iperf(5, congestion="cubic")[0] * 1000)

    def run_restarts(self):
        """Start to first echo, and back after kill -9 of either side, of tendril alone."""
        self.wire(self.congestions()[-1])
        echo = ["await-echo", "--connect", f"{TUNNEL['b']}:7"]
        for _ in range(max(self.options.rounds, 3)):
            log = open(f"{self.directory}/tendril.log", "ab")
            pids = {}
            pids["server"] = self.processes.start(A, *self.tendril_command("server"), stderr=log)
            time.sleep(0.3)
            pids["client"] = self.processes.start(B, *self.tendril_command("client"), stderr=log)
            self.note("tendril", "start to first echo ms", self.tool(A, *echo)["ms"])
            for role, namespace in (("server", A), ("client", B)):
                time.sleep(1.5)
                self.processes.end(pids[role], signal.SIGKILL)
                pids[role] = self.processes.start(namespace, *self.tendril_command(role), stderr=log)
                self.note("tendril", f"back after kill -9 of the {role} ms", self.tool(A, *echo)["ms"])
            time.sleep(4)
            for role, process in pids.items():
                self.note("tendril", f"memory idle {role} MiB", memory(process.pid, "VmRSS"))
                self.processes.end(process)

    def run_flood(self):
        self.wire(self.congestions()[-1])
        for _ in range(self.options.rounds):
            pids = self.start_tendril()
            quiet = self.iperf(3)[0]
            flood = self.processes.start(B, self.options.tools, "flood", "--connect", f"{WIRE['a']}:8132", "--rate",
                                         "5000", "--seconds", "5")
            time.sleep(0.5)
            beside = self.iperf(3)[0]
            self.processes.end(flood)
            # The flood's own cost, at a port that turns every connection away in the kernel.
            flood = self.processes.start(B, self.options.tools, "flood", "--connect", f"{WIRE['a']}:8131", "--rate",
                                         "5000", "--seconds", "5")
            time.sleep(0.5)
            refused = self.iperf(3)[0]
            self.processes.end(flood)
            self.note("tendril", "flood: share of throughput kept", beside / quiet if quiet else 0)
            self.note("tendril", "flood: share kept, kernel refusing", refused / quiet if quiet else 0)
            self.note("tendril", "flood: server memory MiB", memory(pids[0]))
            for process in [p for p in self.processes.all if p not in self.servers]:
                self.processes.end(process)

    # Report

    def table(self):
        peers = []
        for values in self.results.values():
            peers += [peer for peer in values if peer not in peers]
        lines = ["| measure | " + " | ".join(peers) + " |", "|---|" + "---|" * len(peers)]
        for metric in self.results:
            cells = []
            for peer in peers:
                value = self.median(metric, peer)
                cells.append("-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}")
            lines.append(f"| {metric} | " + " | ".join(cells) + " |")
        return lines

    def ratio(self, metric, over, under="tendril"):
        top, bottom = self.median(metric, under), self.median(metric, over)
        return top / bottom if top is not None and bottom else None

    def goals(self):
        newest = "wireguard-go newer" if os.environ.get("WIREGUARD_GO") else "wireguard-go"
        rows = []

        def goal(name, value, bound, at_least, unit=""):
            if value is None:
                return
            met = value >= bound if at_least else value <= bound
            sign = ">=" if at_least else "<="
            rows.append((name, f"{value:.3g}{unit}", f"{sign} {bound:g}{unit}", "yes" if met else "**no**"))

        for cc in self.congestions():
            for metric in (f"one flow Gbit/s [{cc}]", f"reverse Gbit/s [{cc}]"):
                goal(f"{metric} against OpenVPN TCP", self.ratio(metric, "OpenVPN TCP"), 12, True, " x")
                goal(f"{metric} against {newest}", self.ratio(metric, newest), 2, True, " x")
            one = f"one flow Gbit/s [{cc}]"
            goal(f"{one} against a raw TLS stream", self.ratio(one, "raw TLS stream"), 0.5, True, " x")
            eight = f"eight flows Gbit/s [{cc}]"
            goal(f"{eight} against OpenVPN TCP", self.ratio(eight, "OpenVPN TCP"), 20, True, " x")
            goal(f"CPU s/GB [{cc}]", self.median(f"CPU s/GB [{cc}]", "tendril"), 1.4, False)
            goal(f"CPU s/GB [{cc}] against {newest}", self.ratio(f"CPU s/GB [{cc}]", newest), 0.4, False, " x")
            goal(f"loaded p50 [{cc}]", self.median(f"loaded p50 ms [{cc}]", "tendril"), 1, False, " ms")
            goal(f"loaded p99 [{cc}]", self.median(f"loaded p99 ms [{cc}]", "tendril"), 4, False, " ms")
        goal("UDP 64 B against OpenVPN UDP", self.ratio("UDP 64 B k/s", "OpenVPN UDP"), 4, True, " x")
        goal("idle p50 against OpenVPN UDP", self.ratio("idle p50 us", "OpenVPN UDP"), 1, False, " x")
        goal("idle p50 against OpenVPN TCP", self.ratio("idle p50 us", "OpenVPN TCP"), 1, False, " x")
        goal("WAN loaded p50 against no tunnel", self.ratio("WAN loaded p50 ms", "no tunnel"), 1.1, False, " x")
        goal("WAN 1 % loss against no tunnel", self.ratio("WAN 1 % loss Mbit/s", "no tunnel"), 1, True, " x")
        goal("WAN 1 % loss with bbr against no tunnel", self.ratio("WAN 1 % loss Mbit/s", "no tunnel", "tendril bbr"),
             10, True, " x")
        goal("connections/s against OpenVPN UDP", self.ratio("connections/s", "OpenVPN UDP"), 1, True, " x")
        for role in ("server", "client"):
            goal(f"memory under load, {role}", self.median(f"memory {role} MiB", "tendril"), 24, False, " MiB")
            goal(f"memory idle, {role}", self.median(f"memory idle {role} MiB", "tendril"), 16, False, " MiB")
            goal(f"back after kill -9 of the {role}", self.median(f"back after kill -9 of the {role} ms", "tendril"),
                 100, False, " ms")
        goal("start to first echo", self.median("start to first echo ms", "tendril"), 40, False, " ms")
        goal("flood of 5 000/s: throughput kept", self.median("flood: share of throughput kept", "tendril"), 0.9, True)
        return rows

    def report(self):
        lines = ["", *self.table(), "", "| goal | measured | wanted | met |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.goals()]
        return "\n".join(lines) + "\n"


def write_report(path, report, options):
    """Puts the report between the markers of a document."""
    begin, end = "<!-- bench -->", "<!-- /bench -->"
    with open(path) as file:
        text = file.read()
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    with open("/proc/cpuinfo") as file:
        model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    with open("/proc/sys/kernel/osrelease") as file:
        kernel = file.read().strip()
    where = (f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model}, Linux {kernel.split('-')[0]}; medians of "
             f"{options.rounds} rounds of {options.seconds:g} s.\n")
    with open(path, "w") as file:
        file.write(head + begin + where + report + end + tail)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the tendril-vpn to measure")
    parser.add_argument("--tools", required=True, help="tendril-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--peers", help="names, separated by commas (default: all)")
    parser.add_argument("--only", default="lan,wan,restarts,flood", help="parts, separated by commas")
    parser.add_argument("--write", help="a document with markers to put the table into")
    options = parser.parse_args()
    options.program, options.tools = os.path.abspath(options.program), os.path.abspath(options.tools)
    bench = Bench(options)
    try:
        bench.namespaces_up()
        bench.wire("cubic")
        bench.servers_up()
        parts = options.only.split(",")
        for part in ("lan", "wan", "restarts", "flood"):
            if part in parts:
                getattr(bench, f"run_{part}")()
    finally:
        bench.processes.end_all()
        bench.namespaces_down()
    report = bench.report()
    print(report)
    if options.write:
        write_report(options.write, report, options)


if __name__ == "__main__":
    main()
