#!/usr/bin/env python3
"""Runs a program against a garden that holds one Shoot, and where no coordinator takes care of it.

garden.py SECONDS SHOOT PROGRAM ARGUMENT...; SHOOT is JSON. Output and code are the program's (124 where SECONDS were not enough); a last
line is the Shoot as it is then, or null. With GARDEN_STRANGER in the environment the program is to believe another CA, and this machine's
directory of CAs holds the garden's, for this program alone. With GARDEN_REFUSES whatever is asked for by an annotation is refused at once,
with an Event of that message. With GARDEN_GOES somebody else deletes the Shoot once it was changed; one that
is being deleted is looked at so often, and then gone. With GARDEN_KEEPS it deletes nothing, and answers that status.
With GARDEN_LIES it deletes, and answers that status nevertheless.
With GARDEN_OPENS there is a kubeconfig of the Shoot; its API is the garden itself, with no object but that,
or what GARDEN_OPENS says where that is a URL.
"""
import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

seconds, shoot, *command = sys.argv[1:]
state = {"shoot": json.loads(shoot)}
looks = int(os.environ.get("GARDEN_GOES", 0))
refusal = os.environ.get("GARDEN_REFUSES")
REFUSED = {"metadata": {"annotations": {"tendril.dev/operation": None}}}
LEAVING = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


def merged(old, new):
    """RFC 7396."""
    if not isinstance(new, dict):
        return new
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class Garden(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status):
        self.answer(status, {"kind": "Status", "code": status, "message": "not you\x1b[2J"})

    def found(self):
        if state["shoot"] and self.path.split("?")[0].endswith("/namespaces/demo/shoots/one"):
            self.answer(200, state["shoot"])
        elif refusal and self.path.split("?")[0].endswith("/namespaces/demo/events"):
            event = {"metadata": {"name": "one.1"}, "involvedObject": {"kind": "Shoot", "name": "one"}, "type": "Warning",
                     "reason": "OperationRefused", "message": refusal, "source": {"component": "tendril-coordinator"},
                     "lastTimestamp": "2026-01-01T00:00:00Z"}
            self.answer(200, {"metadata": {}, "items": [event]})
        else:
            self.answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": f"no {self.path}"})

    def do_GET(self):
        global looks
        path = self.path.split("?")[0]
        if "GARDEN_OPENS" in os.environ and path.endswith("/namespaces/demo/secrets/one.kubeconfig"):
            return self.answer(200, {"metadata": {"name": "one.kubeconfig", "namespace": "demo"}, "data": {"kubeconfig": state["kubeconfig"]}})
        if "GARDEN_OPENS" in os.environ and path.endswith(("/nodes", "/nodebootstraps", "/leases")):
            return self.answer(200, {"metadata": {"resourceVersion": "1"}, "items": []})
        was_leaving = state["shoot"] and "deletionTimestamp" in state["shoot"]["metadata"]
        self.found()
        if was_leaving and looks:
            looks -= 1
            if not looks:
                state["shoot"] = None

    def do_PATCH(self):
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        new = merged(state["shoot"], {"metadata": {}, **change})
        if new["spec"] != state["shoot"]["spec"]:
            new["metadata"]["generation"] += 1
        if "dryRun=All" not in self.path:
            state["shoot"] = merged(new, LEAVING if looks else REFUSED if refusal else {})
        self.answer(200, new)

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "GARDEN_KEEPS" in os.environ:
            return self.refuse(int(os.environ["GARDEN_KEEPS"]))
        state["shoot"] = merged(state["shoot"], LEAVING)
        if "GARDEN_LIES" in os.environ:
            return self.refuse(int(os.environ["GARDEN_LIES"]))
        self.found()


with tempfile.TemporaryDirectory() as directory:
    key, certificate, kubeconfig, authorities = (os.path.join(directory, name) for name in ("key", "crt", "kubeconfig", "authorities"))

    def authority(certificate, name="garden"):
        subprocess.run(
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN={name} -addext subjectAltName=IP:127.0.0.1".split()
            + ["-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        return certificate

    if "GARDEN_STRANGER" in os.environ:
        os.mkdir(authorities)
        believed = authority(os.path.join(directory, "other"), "other")
        shutil.copy(authority(certificate), f"{authorities}/garden.pem")
        subprocess.run(["openssl", "rehash", authorities], check=True)
        command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', authorities, *command]
    else:
        believed = authority(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Garden)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    named = {"name": "a"}

    own = f"https://127.0.0.1:{server.server_port}"
    opens = os.environ.get("GARDEN_OPENS", "")

    def document(authority, address=own):
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{**named, "context": {"cluster": "a", "user": "a", "namespace": "demo"}}],
            "clusters": [{**named, "cluster": {"server": address, **authority}}],
            "users": [{**named, "user": {"token": "x"}}],
        })

    with open(kubeconfig, "w") as file:
        file.write(document({"certificate-authority": believed}))
    with open(believed, "rb") as file:
        inline = base64.b64encode(file.read()).decode()
    state["kubeconfig"] = base64.b64encode(document({"certificate-authority-data": inline}, opens if ":" in opens else own).encode()).decode()
    program = subprocess.Popen(command, env={**os.environ, "KUBECONFIG": kubeconfig})
    try:
        code = program.wait(float(seconds))
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
        code = 124
    print(json.dumps(state["shoot"]), flush=True)
os._exit(code)
