#!/usr/bin/env python3
"""nodes.py ADDRESS PORT CERTIFICATE KEY: an API server that has Nodes and nothing else.

The first one is called client and has 10.2.0.0/24. Whoever watches is told of another one every half second; a watch ends
after five of them.
"""
import http.server, json, ssl, sys, time

nodes = []


def add(name, network):
    nodes.append({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "resourceVersion": str(len(nodes) + 1)},
        "spec": {"podCIDR": network, "podCIDRs": [network]}, "status": {"addresses": []},
    })


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if "watch=" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(5):
                time.sleep(0.5)
                add(f"n{len(nodes)}", f"10.3.{len(nodes) % 250}.0/24")
                self.chunk(json.dumps({"type": "ADDED", "object": nodes[-1]}).encode() + b"\n")
            return self.chunk(b"")
        body = json.dumps({
            "apiVersion": "v1", "kind": "NodeList", "metadata": {"resourceVersion": str(len(nodes))}, "items": nodes,
        }).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass


add("client", "10.2.0.0/24")
address, port, certificate, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
