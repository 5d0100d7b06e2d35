#!/usr/bin/env python3
"""server.py PORT [CERTIFICATE KEY]: what kube-apiserver calls in a shoot.

GET / is a web page, POST /webhook an admission webhook that refuses pods with the label refuse=me, and
/apis/rig.tendril.dev/v1 an aggregated API with one object.
"""
import http.server, json, ssl, sys

GROUP = "rig.tendril.dev"
DOCUMENTS = {
    "/": {"page": "up"},
    f"/apis/{GROUP}": {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [{"groupVersion": f"{GROUP}/v1", "version": "v1"}]},
    f"/apis/{GROUP}/v1": {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1", "resources": [
        {"name": "things", "singularName": "thing", "namespaced": False, "kind": "Thing", "verbs": ["get", "list"]}]},
    f"/apis/{GROUP}/v1/things": {"kind": "ThingList", "apiVersion": f"{GROUP}/v1", "metadata": {}, "items": [
        {"kind": "Thing", "apiVersion": f"{GROUP}/v1", "metadata": {"name": "one"}}]},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        document = DOCUMENTS.get(self.path.split("?")[0])
        self.answer(200 if document else 404, document or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        allowed = (request["object"]["metadata"].get("labels") or {}).get("refuse") != "me"
        response = {"uid": request["uid"], "allowed": allowed, "status": {"message": "refused by the webhook in the shoot"}}
        self.answer(200, {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})

    def log_message(self, *_):
        print("request", self.command, self.path, flush=True)


server = http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler)
if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
