"""A client of the endpoint over libzmq, for bench/endpoint.ts: the same messages to a kernel and to an echo.

Usage: zmq_client.py MODE PORT KEY COUNT; prints one JSON value. The echo gives back the two frames that it got.
"""
import hashlib
import hmac
import json
import os
import signal
import sys
import time

import msgpack
import zmq

mode, port, key, count = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), int(sys.argv[4])


def connect(context):
    socket = context.socket(zmq.DEALER)
    socket.identity = b"bench-" + os.urandom(8).hex().encode()
    socket.linger = 0
    socket.connect("tcp://127.0.0.1:" + port)
    return socket


def message(number):
    brief = {"type": "command", "selector": "ping", "args": [], "kwargs": {"padding": "x" * 100}}
    payload = msgpack.packb({"v": 1, "id": str(number), "time": int(time.time() * 1000), "nonce": os.urandom(16),
                             "command": "ping", "target_oid": "0", "mission_brief": brief})
    return [hmac.new(key, payload, hashlib.sha256).digest(), payload]


def check(frames, number):
    answer = msgpack.unpackb(frames[1])
    if answer.get("re", answer.get("id")) != str(number) or answer.get("type") == "error":
        raise SystemExit("lost or refused: %r" % answer)


def turns(socket, first, number):
    """One after the other."""
    for at in range(first, first + number):
        socket.send_multipart(message(at))
        check(socket.recv_multipart(), at)


def stream(socket, first, number, window=500):
    """Up to a window of messages under way."""
    sent = received = first
    end = first + number
    while received < end:
        while sent < end and sent - received < window:
            socket.send_multipart(message(sent))
            sent += 1
        check(socket.recv_multipart(), received)
        received += 1


def timed(work, number):
    begin = time.perf_counter()
    work(number)
    return number / (time.perf_counter() - begin)


if mode == "turns" or mode == "stream":
    socket = connect(zmq.Context())
    turns(socket, 0, min(count, 1000))
    work = turns if mode == "turns" else stream
    print(json.dumps(timed(lambda number: work(socket, 1000, number), count)))
elif mode == "connects":
    context = zmq.Context()
    for at in range(count):
        socket = connect(context)
        turns(socket, 0, 2)
        socket.close()
    print(json.dumps(count))
elif mode == "killed":
    # Children that talk without a pause, killed in the middle of it, twenty at a time.
    for begin in range(0, count, 20):
        children = []
        for _ in range(min(20, count - begin)):
            child = os.fork()
            if child == 0:
                stream(connect(zmq.Context()), 0, 10**9)
            children.append(child)
        time.sleep(0.4)
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    print(json.dumps(count))
