#!/usr/bin/env python3
"""image.py OUT.tar NAME:TAG [--entrypoint A ...] [--user UID:GID] [--link TARGET=NAME ...] [--tree FOLDER[=PATH] ...] FILE[=PATH]...

Packs files, with the shared libraries that they need, into an OCI image archive of one layer (OCI image specification,
"Image Layout") that `ctr images import`, `podman load` and `skopeo` take. Equal input makes equal bytes.
"""
import argparse, hashlib, io, json, os, re, subprocess, tarfile

p = argparse.ArgumentParser()
p.add_argument("out"); p.add_argument("ref"); p.add_argument("files", nargs="*")
p.add_argument("--tree", action="append", default=[]); p.add_argument("--entrypoint", action="append", default=[])
p.add_argument("--link", action="append", default=[]); p.add_argument("--user", default="")
a = p.parse_intermixed_args()


def libraries(path):
    closure = subprocess.run(["ldd", path], capture_output=True, text=True)  # fails on a static one: nothing to add
    return re.findall(r"(/\S+) \(0x", closure.stdout) if closure.returncode == 0 else []


files = {}
items = list(a.files)
for tree in a.tree:
    top, _, target = tree.partition("=")
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f not in ("__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip")]
        inside = (target or top) + folder[len(top):]
        items += [f"{folder}/{name}={inside}/{name}" for name in names if os.path.isfile(f"{folder}/{name}")]
for item in items:
    source, _, target = item.partition("=")
    files[target or source] = source
    if not source.endswith((".py", ".txt")):
        files.update({library: os.path.realpath(library) for library in libraries(source)})

buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
    folders = {"/tmp", "/etc"}
    for path in [*files, *(l.partition("=")[2] for l in a.link)]:
        while (path := os.path.dirname(path)) != "/":
            folders.add(path)
    for path in sorted(folders):
        info = tarfile.TarInfo(path[1:]); info.type, info.mode = tarfile.DIRTYPE, 0o1777 if path == "/tmp" else 0o755
        layer.addfile(info)
    for path, source in sorted(files.items()):
        info = tarfile.TarInfo(path[1:]); info.size, info.mode = os.path.getsize(source), 0o755
        with open(source, "rb") as f:
            layer.addfile(info, f)
    for link in a.link:
        target, _, path = link.partition("=")
        info = tarfile.TarInfo(path[1:]); info.type, info.linkname = tarfile.SYMTYPE, target
        layer.addfile(info)

blobs = {}


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(data)}


layer = blob(buffer.getvalue(), "layer.v1.tar")
config = {"Entrypoint": a.entrypoint, "Env": ["PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"]}
if a.user:
    config["User"] = a.user
config = blob(json.dumps({
    "architecture": "amd64", "os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    "history": [{"created_by": "image.py"}],
}).encode(), "config.v1+json")
manifest = blob(json.dumps({
    "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer],
}).encode(), "manifest.v1+json")
manifest["annotations"] = {"io.containerd.image.name": a.ref, "org.opencontainers.image.ref.name": a.ref.rpartition(":")[2]}
index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}).encode()

with tarfile.open(a.out + ".part", "w") as out:
    entries = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    entries.update({f"blobs/sha256/{digest}": data for digest, data in sorted(blobs.items())})
    for path, data in entries.items():
        info = tarfile.TarInfo(path); info.size = len(data)
        out.addfile(info, io.BytesIO(data))
os.rename(a.out + ".part", a.out)
print(f"{a.ref}: {layer['size'] / 1e6:.1f} MB, {len(files)} files, {manifest['digest']}")
