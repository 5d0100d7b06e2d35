#!/usr/bin/env python3
"""Answers one request over TLS with the parts that are named, a moment apart, and prints what was asked.

one-answer.py FILE CERTIFICATE KEY CLIENT-CA|- [PART]...; FILE gets the port; the part "silence" waits until the peer goes.
"""
import os
import socket
import ssl
import sys
import time

file, certificate, key, clients, *parts = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
if clients != "-":
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_REQUIRED
listener = socket.create_server(("127.0.0.1", 0))
with open(file + ".new", "w") as out:
    out.write(str(listener.getsockname()[1]))
os.rename(file + ".new", file)
# Whoever asks may wait for a thread for long, where other tests have them all.
listener.settimeout(300)
raw, _ = listener.accept()
raw.settimeout(300)
try:
    with context.wrap_socket(raw, server_side=True) as connection:
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = connection.recv(4096)
            if not more:
                break
            asked += more
        sys.stdout.write(asked.decode())
        for part in parts:
            if part == "silence":
                connection.recv(1)
            connection.sendall(part.encode().decode("unicode_escape").encode())
            time.sleep(0.05)
except OSError as error:
    sys.stdout.write(f"nothing: {error}")
