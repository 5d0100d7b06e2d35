#!/usr/bin/env python3
"""downloads.py ADDRESS PORT CERTIFICATE KEY DIRECTORY: what machines fetch, over HTTPS.

Each file NAME of the directory is served at /files/NAME, and as a one-layer OCI image that holds it at /usr/bin/NAME
(OCI distribution specification: pulling). NAME.reference, NAME.sha256 beside it say what to ask for.
"""
import gzip, hashlib, http.server, io, json, os, ssl, sys, tarfile

address, port, certificate, key, directory = sys.argv[1:]
blobs, types = {}, {}


def keep(data, kind):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    blobs[digest], types[digest] = data, kind
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def image(name, data):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        info = tarfile.TarInfo("usr/bin/" + name)
        info.size, info.mode = len(data), 0o755
        tar.addfile(info, io.BytesIO(data))
    layer = layer.getvalue()
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2, "mediaType": oci + ".manifest.v1+json",
        "config": keep(json.dumps(config).encode(), oci + ".config.v1+json"),
        "layers": [keep(gzip.compress(layer, 1, mtime=0), oci + ".layer.v1.tar+gzip")],
    }
    own = keep(json.dumps(manifest).encode(), oci + ".manifest.v1+json")
    # Most images are for several kinds of machine.
    own["platform"] = {"os": "linux", "architecture": "amd64"}
    index = {"schemaVersion": 2, "mediaType": oci + ".index.v1+json", "manifests": [own]}
    return keep(json.dumps(index).encode(), oci + ".index.v1+json")["digest"]


files = {}
for name in sorted(os.listdir(directory)):
    if name.endswith((".reference", ".sha256")):
        continue
    files[name] = open(os.path.join(directory, name), "rb").read()
    for suffix, text in (("reference", f"{address}:{port}/{name}@{image(name, files[name])}"), ("sha256", hashlib.sha256(files[name]).hexdigest())):
        open(os.path.join(directory, f"{name}.{suffix}"), "w").write(text)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        last = self.path.rsplit("/", 1)[-1]
        data, kind = None, "application/octet-stream"
        if self.path.startswith("/files/"):
            data = files.get(last)
        elif self.path == "/v2/":
            data = b"{}"
        elif self.path.startswith("/v2/"):
            data, kind = blobs.get(last), types.get(last)
        self.send_response(200 if data is not None else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(data or b"")))
        if data is not None and self.path.startswith("/v2/") and last:
            self.send_header("Docker-Content-Digest", last)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data or b"")

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
