#!/usr/bin/env python3
"""connect.py SOCKET HOST:PORT: asks for a connection as kube-apiserver does, and prints the status line."""
import socket, sys

with socket.socket(socket.AF_UNIX) as egress:
    egress.settimeout(20)
    egress.connect(sys.argv[1])
    egress.sendall(f"CONNECT {sys.argv[2]} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    print(egress.recv(4096).decode().split("\r\n")[0])
