#!/usr/bin/env python3
"""A long stream with little in it, as `kubectl logs -f` makes one: numbered lines, fifty a second.

log-stream.py serve ADDRESS PORT: writes them to whoever connects.
log-stream.py follow SOCKET HOST:PORT SECONDS: reads them through a CONNECT proxy; each has to come, once and in its order.
"""
import socket, sys, threading, time


def serve(address, port):
    listener = socket.create_server((address, int(port)))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=write, args=(connection,), daemon=True).start()


def write(connection):
    number = 0
    try:
        while True:
            connection.sendall(f"{number}\n".encode())
            number += 1
            time.sleep(0.02)
    except OSError:
        connection.close()


def follow(path, target, seconds):
    end = time.time() + float(seconds)
    with socket.socket(socket.AF_UNIX) as egress:
        egress.settimeout(10)
        egress.connect(path)
        egress.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        lines = egress.makefile("rb")
        status = lines.readline()
        if b" 200 " not in status:
            sys.exit(f"refused: {status.decode()}")
        while lines.readline().strip():
            pass
        number = 0
        while time.time() < end:
            line = lines.readline()
            if line != f"{number}\n".encode():
                sys.exit(f"line {number} is {line}")
            number += 1
    print(number, "lines")


{"serve": serve, "follow": follow}[sys.argv[1]](*sys.argv[2:])
