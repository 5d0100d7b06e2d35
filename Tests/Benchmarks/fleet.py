#!/usr/bin/env python3
"""fleet.py: stands in for what a real seed does with control planes, so that a thousand of them fit on one machine.

Deployments and StatefulSets of shoots are said to be ready as soon as they are written, machine groups to have their
machines, and every API server is answered for by this process: objects are kept as they are written, there is one Ready
node, and everything on it is well. Garden and seed are a real kube-apiserver with a real etcd.

fleet.py simulate PKI SERVER: until it is ended; PKI is the rig's directory with admin.crt and admin.key. SIGUSR1 prints how often
the shoots' API servers were asked; from SIGUSR2 on those of the shoots s71 to s100 take requests and answer none,
until the next one.
fleet.py latency PKI SERVER COUNT LANES,... [NOISY]: sets spec.vpn.lanes of shoots s1 to sCOUNT, ten at the same time, to one
value after the other, and prints the seconds that half and 99 of 100 of all changes take until they are done; NOISY, another shoot,
is changed all the time.
fleet.py ask PKI SERVER LANES SHOOT...: the same of these, without waiting.
"""
import asyncio
import base64
import http.client
import json
import os
import signal
import ssl
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

MANAGED = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dtendril-coordinator"


class Seed:
    """The real API server, by a connection for each thread."""

    def __init__(self, pki, server):
        self.address = urlsplit(server)
        self.context = ssl.create_default_context(cafile=f"{pki}/cluster-ca.crt")
        self.context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
        self.local = threading.local()

    def connect(self):
        return http.client.HTTPSConnection(self.address.hostname, self.address.port, context=self.context)

    def ask(self, method, path, body=None, kind="application/json"):
        for attempt in (1, 2):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = self.connect()
            try:
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": kind} if data else {})
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (http.client.HTTPException, OSError):
                self.local.connection = None
                if attempt == 2:
                    raise

    def follow(self, path, selector, take):
        """Lists and watches for ever; take(object) for each that is there or changes."""
        while True:
            try:
                _, listed = self.ask("GET", f"{path}?{selector}")
                for item in listed["items"]:
                    take(item)
                version = listed["metadata"]["resourceVersion"]
                connection = self.connect()
                connection.request("GET", f"{path}?{selector}&watch=1&resourceVersion={version}")
                answer = connection.getresponse()
                while line := answer.readline():
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED"):
                        take(event["object"])
                    elif event["type"] == "ERROR":
                        break
            except (http.client.HTTPException, OSError, ValueError):
                time.sleep(0.5)


class Workloads:
    """Says of every workload that its pods are as they are wanted."""

    def __init__(self, seed, plural, shoots):
        self.seed, self.plural, self.shoots = seed, plural, shoots
        self.pool = ThreadPoolExecutor(8)

    def run(self):
        self.seed.follow(f"/apis/apps/v1/{self.plural}", MANAGED, lambda item: self.pool.submit(self.ready, item))

    def ready(self, item):
        meta, status = item["metadata"], item.get("status", {})
        if meta["name"] == "kube-apiserver":
            self.shoots.serve(meta["namespace"])
        if status.get("observedGeneration") == meta["generation"]:
            return
        count = item["spec"].get("replicas", 1)
        numbers = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        wanted = {name: count for name in numbers if not (name == "availableReplicas" and self.plural == "statefulsets")}
        path = f"/apis/apps/v1/namespaces/{meta['namespace']}/{self.plural}/{meta['name']}/status"
        body = {"status": {"observedGeneration": meta["generation"], **wanted}}
        self.seed.ask("PATCH", path, body, "application/merge-patch+json")


class Machines:
    """Says of every group of machines that there are as many as are wanted."""

    def __init__(self, seed):
        self.seed = seed

    def run(self):
        self.seed.follow("/api/v1/secrets", "labelSelector=tendril.dev%2Fmachine-group", self.take)

    def take(self, item):
        meta = item["metadata"]
        notes = meta["annotations"]
        count = int(notes["tendril.dev/desired"])
        names = ",".join(f"{notes['tendril.dev/name-prefix']}{number}" for number in range(count))
        if notes.get("tendril.dev/present") == names:
            return
        body = {"metadata": {"annotations": {"tendril.dev/present": names}}}
        path = f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}"
        self.seed.ask("PATCH", path, body, "application/merge-patch+json")


def node(generation):
    """The one node of a shoot, which has applied what was published last."""
    notes = {"tendril.dev/applied-generation": str(generation)}
    return {
        "metadata": {"name": "node", "uid": "node", "labels": {"tendril.dev/pool": "worker"}, "annotations": notes},
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


class ShootAPI(asyncio.Protocol):
    """One connection to the API server of one shoot."""

    def __init__(self, shoot):
        self.shoot, self.buffer = shoot, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        if Shoot.are_hanging and self.shoot.name in Shoot.hanging:
            return
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode()
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            method, target, _ = head.split("\r\n")[0].split(" ")
            status, text = self.shoot.answer(method, target, body)
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            self.transport.write(head.encode() + text)


class Shoot:
    """What one shoot's API server keeps."""

    asked = 0
    are_hanging = False
    hanging = {f"shoot--fleet--s{number}" for number in range(71, 101)}

    def __init__(self, name):
        self.name, self.objects, self.generation = name, {}, 0

    def answer(self, method, target, body):
        Shoot.asked += 1
        path = urlsplit(target).path
        if method == "GET":
            return self.read(path)
        if method == "DELETE":
            found = self.objects.pop(path, None)
            return (200, b"{}") if found else self.missing(path)
        value = json.loads(body)
        if method == "POST":
            path = f"{path}/{value['metadata'].get('name', 'generated')}"
        if path.endswith("/status"):
            path = path[: -len("/status")]
        meta = value.setdefault("metadata", {})
        meta.setdefault("resourceVersion", "1")
        meta.setdefault("generation", 1)
        self.objects[path] = value
        if "node.json" in (data := value.get("data") or {}):
            self.generation = json.loads(base64.b64decode(data["node.json"]))["metadata"]["generation"]
        return (201 if method == "POST" else 200), json.dumps(value).encode()

    def read(self, path):
        if path in ("/readyz", "/healthz") or path.endswith("/proxy/healthz"):
            return 200, b"ok"
        if path == "/api/v1/nodes":
            return 200, json.dumps({"metadata": {"resourceVersion": "1"}, "items": [node(self.generation)]}).encode()
        if path.rsplit("/", 1)[1] in ("deployments", "daemonsets"):
            items = [self.running(found) for place, found in list(self.objects.items()) if place.rsplit("/", 1)[0] == path]
            return 200, json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()
        found = self.objects.get(path)
        if found is None:
            is_list = path.rsplit("/", 1)[1] in ("nodebootstraps", "secrets", "leases", "pods", "configmaps")
            return (200, b'{"metadata":{"resourceVersion":"1"},"items":[]}') if is_list else self.missing(path)
        return 200, json.dumps(self.running(found)).encode()

    @staticmethod
    def running(found):
        if found.get("kind") not in ("DaemonSet", "Deployment"):
            return found
        counts = ("replicas", "updatedReplicas", "readyReplicas", "numberReady", "updatedNumberScheduled")
        status = {name: 1 for name in (*counts, "desiredNumberScheduled")}
        return {**found, "status": {"observedGeneration": found["metadata"]["generation"], **status}}

    @staticmethod
    def missing(path):
        status = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": f"no {path}"}
        return 404, json.dumps(status).encode()


class Shoots:
    """Listens for each API server where the seed's Service says that it is."""

    def __init__(self, seed, loop):
        self.seed, self.loop = seed, loop
        self.known = set()

    def serve(self, namespace):
        if namespace in self.known:
            return
        self.known.add(namespace)
        base = f"/api/v1/namespaces/{namespace}"
        _, service = self.seed.ask("GET", f"{base}/services/kube-apiserver")
        _, secret = self.seed.ask("GET", f"{base}/secrets/kube-apiserver")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            for name in ("tls.crt", "tls.key"):
                with open(os.path.join(directory, name), "wb") as out:
                    out.write(base64.b64decode(secret["data"][name]))
            context.load_cert_chain(os.path.join(directory, "tls.crt"), os.path.join(directory, "tls.key"))
        shoot = Shoot(namespace)
        serving = self.loop.create_server(lambda: ShootAPI(shoot), service["spec"]["clusterIP"], 443, ssl=context)
        asyncio.run_coroutine_threadsafe(serving, self.loop)


def simulate(pki, server):
    seed, loop = Seed(pki, server), asyncio.new_event_loop()
    shoots = Shoots(seed, loop)
    parts = [Workloads(seed, plural, shoots) for plural in ("deployments", "statefulsets")] + [Machines(seed)]
    for part in parts:
        threading.Thread(target=part.run, daemon=True).start()
    signal.signal(signal.SIGUSR1, lambda *_: print(Shoot.asked, flush=True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(Shoot, "are_hanging", not Shoot.are_hanging))
    loop.run_forever()


class Fleet:
    """Changes shoots, and sees when that is done."""

    path = "/apis/tendril.dev/v1alpha1/namespaces/fleet/shoots"

    def __init__(self, seed):
        self.seed, self.done, self.news = seed, {}, threading.Condition()
        threading.Thread(target=seed.follow, args=(self.path, "", self.take), daemon=True).start()

    def take(self, item):
        status = item.get("status", {})
        if status.get("lastOperation", {}).get("state") == "Succeeded":
            with self.news:
                self.done[item["metadata"]["name"]] = status.get("observedGeneration", 0)
                self.news.notify_all()

    def ask(self, name, lanes):
        body = {"spec": {"vpn": {"lanes": lanes}}}
        _, shoot = self.seed.ask("PATCH", f"{self.path}/{name}", body, "application/merge-patch+json")
        return shoot["metadata"]["generation"]

    def change(self, name, lanes):
        begun = time.monotonic()
        wanted = self.ask(name, lanes)
        with self.news:
            if not self.news.wait_for(lambda: self.done.get(name, 0) >= wanted, 300):
                raise TimeoutError(name)
        return time.monotonic() - begun

    def disturb(self, name):
        """Wants something else again and again, without waiting for anything."""
        for count in range(1 << 30):
            self.ask(name, 1 + count % 2)
            time.sleep(0.05)


def latency(pki, server, count, lanes, noisy=None):
    fleet = Fleet(Seed(pki, server))
    if noisy:
        threading.Thread(target=fleet.disturb, args=(noisy,), daemon=True).start()
        time.sleep(2)
    names = [f"s{number}" for number in range(1, int(count) + 1)]
    with ThreadPoolExecutor(10) as pool:
        times = sorted(time for value in lanes.split(",") for time in pool.map(lambda name: fleet.change(name, int(value)), names))
    print(f"{times[len(times) // 2]:.2f} {times[len(times) * 99 // 100]:.2f}")


def ask(pki, server, lanes, *names):
    fleet = Fleet(Seed(pki, server))
    for name in names:
        fleet.ask(name, int(lanes))


if __name__ == "__main__":
    commands = {"simulate": simulate, "latency": latency, "ask": ask}
    if len(sys.argv) < 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
