#!/usr/bin/env python3
"""Answers one request over TLS with the parts that are named, a moment apart, and prints what was asked.

one-answer.py PORT CERTIFICATE KEY CLIENT-CA|- [PART]...; the part "silence" waits until the peer goes.
"""
import socket
import ssl
import sys
import time

port, certificate, key, clients, *parts = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
if clients != "-":
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_REQUIRED
listener = socket.create_server(("127.0.0.1", int(port)))
listener.settimeout(20)
raw, _ = listener.accept()
raw.settimeout(20)
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
