#!/usr/bin/env python3
"""Streams: tendril-vpn's egress socket beside no tunnel, a raw TLS stream, a CONNECT proxy over OpenVPN TCP, and
konnectivity where KONNECTIVITY names a directory with its proxy-server and proxy-agent.

All in one run, in namespaces of its own. See docs/performance.md, "Streams", for what each row means.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import run as base
from run import A, B, WIRE, TUNNEL, Bench, cpu_seconds, inside, memory

TARGET = "10.2.0.10"


class StreamBench(Bench):
    through = []

    def start_tendril(self, *more):
        egress = f"{self.directory}/egress.sock"
        log = open(f"{self.directory}/tendril.log", "ab")
        common = ["--ca", f"{self.pki}/ca.crt", "--gate-key", f"{self.pki}/gate.key", "--no-packets", "--network",
                  f"{TARGET}/32", "--log-level", "warning", *more]
        pids = []
        for role, namespace, own in (
                ("server", A, ["--listen", f"{WIRE['a']}:8132", "--egress-socket", egress]),
                ("client", B, ["--server", f"{WIRE['a']}:8132"])):
            pids.append(self.processes.start(
                namespace, self.options.program, role, *common, *own, "--certificate", f"{self.pki}/{role}.crt", "--key",
                f"{self.pki}/{role}.key", "--socket", f"{self.directory}/{role}.sock", stderr=log).pid)
        self.through = ["--through", egress]
        self.until(self.answers)
        return pids

    def start_direct(self):
        self.through = []
        subprocess.run(["ip", "-n", A, "route", "replace", f"{TARGET}/32", "via", WIRE["b"]], check=True)
        self.until(self.answers)
        return []

    def start_proxy(self):
        """What is deployed today: a CONNECT proxy before OpenVPN over TCP."""
        subprocess.run(["ip", "-n", A, "route", "del", f"{TARGET}/32"], stderr=subprocess.DEVNULL)
        pids = self.start_openvpn("tcp")
        subprocess.run(["ip", "-n", A, "route", "replace", f"{TARGET}/32", "dev", "tun0"], check=True)
        path = f"{self.directory}/proxy.sock"
        pids.append(self.processes.start(A, self.options.tools, "connect-proxy", "--listen", path).pid)
        self.through = ["--through", path]
        self.until(self.answers)
        return pids

    def start_konnectivity(self):
        """http-connect mode over a UNIX socket and mutual TLS, one server and one agent."""
        subprocess.run(["ip", "-n", A, "route", "del", f"{TARGET}/32"], stderr=subprocess.DEVNULL)
        programs, pki, path = os.environ["KONNECTIVITY"], self.konnectivity_pki(), f"{self.directory}/konnectivity.sock"
        server = self.processes.start(
            A, f"{programs}/proxy-server", "--mode", "http-connect", "--uds-name", path, "--server-port", "0",
            "--agent-port", "8132", "--cluster-cert", f"{pki}/server.crt", "--cluster-key", f"{pki}/server.key",
            "--cluster-ca-cert", f"{pki}/ca.crt", "--logtostderr=false")
        agent = self.processes.start(
            B, f"{programs}/proxy-agent", "--proxy-server-host", WIRE["a"], "--proxy-server-port", "8132", "--ca-cert",
            f"{pki}/ca.crt", "--agent-cert", f"{pki}/agent.crt", "--agent-key", f"{pki}/agent.key", "--logtostderr=false")
        self.through = ["--through", path]
        self.until(self.answers)
        return [server.pid, agent.pid]

    def konnectivity_pki(self):
        """Certificates with the address in them: its agent asks for that, not for a role."""
        pki = f"{self.directory}/konnectivity"
        if os.path.exists(pki):
            return pki
        os.mkdir(pki, 0o700)
        common = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        base.run(*common, "-subj", "/CN=bench", "-keyout", f"{pki}/ca.key", "-out", f"{pki}/ca.crt", **quiet)
        for name in ("server", "agent"):
            base.run(*common, "-subj", f"/CN={name}", "-keyout", f"{pki}/{name}.key", "-out", f"{pki}/{name}.crt", "-CA",
                     f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key", "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                     f"subjectAltName=IP:{WIRE['a']}", "-addext", "extendedKeyUsage=serverAuth,clientAuth", **quiet)
        return pki

    def answers(self):
        return subprocess.run(
            inside(A, self.options.tools, "rr", "--connect", f"{TARGET}:7", "--seconds", "0.05", *self.through),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 0

    def stream_tool(self, name, port, *more, timeout=60):
        return self.tool(A, name, "--connect", f"{TARGET}:{port}", *self.through, *more, timeout=timeout)

    def bulk(self, streams, seconds, *more):
        figures = self.stream_tool("bulk", 9000, "--streams", str(streams), "--seconds", str(seconds), *more)
        return figures["gbit"], figures["bytes"]

    def background(self, name, port, *more):
        return self.processes.start(A, self.options.tools, name, "--connect", f"{TARGET}:{port}", *self.through,
                                    *map(str, more))

    def measure(self, peer, pids):
        seconds = self.options.seconds
        for label, flags in (("down", []), ("up", ["--up"])):
            gbit, cpu = self.with_cpu(pids, lambda: self.bulk(1, seconds, *flags))
            self.note(peer, f"one stream {label} Gbit/s", gbit)
            if pids:
                self.note(peer, f"CPU s/GB {label}", cpu)
        idle = self.stream_tool("rr", 7, "--seconds", str(seconds))
        self.note(peer, "request/response p50 us", idle["p50_us"])
        self.note(peer, "request/response p99 us", idle["p99_us"])
        rate = self.stream_tool("connections", 7, "--seconds", str(seconds))
        self.note(peer, "connections/s", rate["per_second"])
        self.note(peer, "connections p99 ms", rate["p99_us"] / 1000)
        bulk = self.background("bulk", 9000, "--streams", 8, "--seconds", seconds + 4)
        time.sleep(0.7)
        loaded = self.stream_tool("rr", 7, "--seconds", str(seconds))
        self.processes.end(bulk)
        self.note(peer, "beside 8 bulk streams p50 ms", loaded["p50_us"] / 1000)
        self.note(peer, "beside 8 bulk streams p99 ms", loaded["p99_us"] / 1000)
        # Its peak so far, before the workloads that are meant to fill it.
        for role, pid in zip(("server", "client"), pids):
            self.note(peer, f"memory under load {role} MiB", memory(pid))

    def stalled(self, peer, pids):
        before = [memory(pid, "VmRSS") for pid in pids]
        quiet = self.stream_tool("rr", 7, "--seconds", "1")["p50_us"]
        count = 8
        readers = self.background("bulk", 9000, "--stalled", "--streams", count, "--seconds", 30)
        time.sleep(1)
        self.note(peer, "rr p50 beside 8 stalled readers, ratio", self.stream_tool("rr", 7, "--seconds", "1")["p50_us"] / quiet)
        held = max(memory(pid, "VmRSS") - old for pid, old in zip(pids, before))
        self.note(peer, "held by a stalled reader MiB", max(held, 0) / count)
        self.processes.end(readers)

    def idle(self, peer, pids):
        holder = self.background("idle-streams", 7, "--count", 16000)
        end = time.monotonic() + 40
        while time.monotonic() < end and len(os.listdir(f"/proc/{pids[0]}/fd")) < 16000:
            time.sleep(0.5)
        time.sleep(4)
        count = len(os.listdir(f"/proc/{pids[0]}/fd"))
        if count < 16000:
            raise TimeoutError(f"only {count} streams")
        for role, pid in zip(("server", "client"), pids):
            self.note(peer, f"16 000 idle streams {role} MiB", memory(pid, "VmRSS"))
        self.processes.end(holder)

    def crowd(self, peer):
        """A thousand clients of one server, and all of them again after it was killed, beside one that is in use."""
        count, pki = 1000, f"{self.directory}/crowd"
        names = [part for index in range(count) for part in ("--client-name", f"c{index}")]
        base.run(self.options.program, "certificates", "--cluster", "bench", "--out", pki, "--client-name", "client", *names,
                 stdout=subprocess.DEVNULL)
        egress = f"{self.directory}/crowd.sock"
        common = ["--ca", f"{pki}/ca.crt", "--gate-key", f"{pki}/gate.key", "--no-packets", "--network", f"{TARGET}/32",
                  "--lanes", "1", "--log-level", "error"]

        def server():
            return self.processes.start(
                A, self.options.program, "server", *common, "--listen", f"{WIRE['a']}:8132", "--egress-socket", egress,
                "--certificate", f"{pki}/server.crt", "--key", f"{pki}/server.key", "--socket", f"{self.directory}/cs.sock")

        daemon = server()
        self.processes.start(
            B, self.options.program, "client", *common, "--server", f"{WIRE['a']}:8132", "--certificate", f"{pki}/client.crt",
            "--key", f"{pki}/client.key", "--socket", f"{self.directory}/cc.sock")
        guests = self.processes.start(B, self.options.tools, "crowd", "--pki", pki, "--connect", f"{WIRE['a']}:8132",
                                      "--count", count, stdout=subprocess.PIPE, text=True)
        json.loads(guests.stdout.readline())
        time.sleep(3)
        self.note(peer, "1 000 clients: server MiB", memory(daemon.pid, "VmRSS"))
        self.through = ["--through", egress]
        self.until(self.answers)
        self.note(peer, "1 000 clients: rr p50 us", self.stream_tool("rr", 7, "--seconds", "1")["p50_us"])
        self.processes.end(daemon, base.signal.SIGKILL)
        daemon = server()
        self.note(peer, "1 000 clients: all back after kill -9, s", json.loads(guests.stdout.readline())["ms"] / 1000)
        for process in [p for p in self.processes.all if p not in self.servers and p is not self.wan]:
            self.processes.end(process)

    def lossy_goodput(self, peer, pids):
        self.note(peer, "8 streams, 50 ms, 1 % loss Mbit/s", self.bulk(8, 8)[0] * 1000)

    def peers(self):
        peers = [("no tunnel", self.start_direct), ("tendril", self.start_tendril), ("proxy + OpenVPN TCP", self.start_proxy)]
        if "KONNECTIVITY" in os.environ:
            peers.append(("konnectivity", self.start_konnectivity))
        return peers

    def run_streams(self):
        base.run("ip", "-n", B, "addr", "add", f"{TARGET}/32", "dev", "lo")
        self.servers.append(self.processes.start(B, self.options.tools, "bulk-server", "--listen", f"{TARGET}:9000"))
        for round_ in range(self.options.rounds):
            print(f"round {round_ + 1} of {self.options.rounds}", file=sys.stderr)
            self.each_peer(self.measure)
            self.tls_stream("cubic")
        only = [("tendril", self.start_tendril)]
        self.each_peer(self.stalled, only)
        self.each_peer(self.idle, only)
        self.crowd("tendril")
        lossy = self.peers()
        if "bbr" in self.congestions():
            lossy.insert(2, ("tendril bbr", lambda: self.start_tendril("--congestion-control", "bbr")))
        for _ in range(self.options.rounds):
            self.wire("cubic", wan=(300, 25, 2_000_000, 0.01))
            self.each_peer(self.lossy_goodput, lossy)

    def goals(self):
        rows = []

        def goal(name, value, bound, at_least, unit=""):
            if value is not None:
                met = value >= bound if at_least else value <= bound
                rows.append((name, f"{value:.3g}{unit}", f"{'>=' if at_least else '<='} {bound:g}{unit}",
                             "yes" if met else "**no**"))

        raw = self.median("one flow Gbit/s [cubic]", "raw TLS stream")
        for label in ("down", "up"):
            one = self.median(f"one stream {label} Gbit/s", "tendril")
            goal(f"one stream {label} against the raw TLS stream", one / raw if one and raw else None, 0.6, True, " x")
            goal(f"one stream {label} against the proxy", self.ratio(f"one stream {label} Gbit/s", "proxy + OpenVPN TCP"),
                 12, True, " x")
            goal(f"CPU s/GB {label}", self.median(f"CPU s/GB {label}", "tendril"), 1.4, False)
        for metric, bound, at_least, unit in (
                ("request/response p50 us", 110, False, " us"), ("request/response p99 us", 200, False, " us"),
                ("connections/s", 4000, True, ""), ("connections p99 ms", 1, False, " ms"),
                ("beside 8 bulk streams p50 ms", 0.5, False, " ms"), ("beside 8 bulk streams p99 ms", 2, False, " ms"),
                ("rr p50 beside 8 stalled readers, ratio", 1.15, False, " x"),
                ("held by a stalled reader MiB", 1, False, " MiB"),
                ("memory under load server MiB", 24, False, " MiB"), ("memory under load client MiB", 24, False, " MiB"),
                ("1 000 clients: server MiB", 128, False, " MiB"), ("1 000 clients: all back after kill -9, s", 10, False, " s"),
                ("16 000 idle streams server MiB", 64, False, " MiB"), ("16 000 idle streams client MiB", 64, False, " MiB")):
            goal(metric, self.median(metric, "tendril"), bound, at_least, unit)
        loss = "8 streams, 50 ms, 1 % loss Mbit/s"
        goal(f"{loss} against no tunnel", self.ratio(loss, "no tunnel"), 0.6, True, " x")
        return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the tendril-vpn to measure")
    parser.add_argument("--tools", required=True, help="tendril-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    options.program, options.tools = os.path.abspath(options.program), os.path.abspath(options.tools)
    bench = StreamBench(options)
    try:
        bench.namespaces_up()
        bench.wire("cubic")
        bench.servers_up()
        bench.run_streams()
    finally:
        bench.processes.end_all()
        bench.namespaces_down()
    print(bench.report())


if __name__ == "__main__":
    main()
