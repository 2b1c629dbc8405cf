"""The peers that make the load: MLLP senders and HTTP readers, each waiting for each answer."""
import asyncio
import json


async def _connections(address, n, work):
    async def one():
        reader, writer = await asyncio.open_connection(*address, limit=1 << 24)
        try:
            await work(reader, writer)
        finally:
            writer.close()

    await asyncio.gather(*(one() for _ in range(n)))


def send(address, messages, n_connections=64):
    """Sends every message by one of the connections; how many were not accepted."""
    waiting = iter(messages)
    refused = 0

    async def work(reader, writer):
        nonlocal refused
        for message in waiting:
            writer.write(b"\x0b" + message + b"\x1c\r")
            answer = await reader.readuntil(b"\x1c\r")
            refused += b"MSA|AA|" not in answer and b"MSA|CA|" not in answer

    asyncio.run(_connections(address, n_connections, work))
    return refused


def get_all(served, paths, n_connections):
    """Reads every path; the bodies' length in all. Anything but 200 ends the run."""
    waiting = iter(paths)
    n_bytes = 0

    async def work(reader, writer):
        nonlocal n_bytes
        for path in waiting:
            n_bytes += len(await _get(reader, writer, served, path))

    asyncio.run(_connections(served.http, n_connections, work))
    return n_bytes


def get(served, path):
    """One answer, as text."""
    found = []

    async def work(reader, writer):
        found.append(await _get(reader, writer, served, path))

    asyncio.run(_connections(served.http, 1, work))
    return found[0].decode()


def get_json(served, path):
    return json.loads(get(served, path))


async def _get(reader, writer, served, path):
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: {served.http[0]}\r\nauthorization: Bearer {served.token}\r\n"
        "accept: */*\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), "0")
    body = await reader.readexactly(int(length.split(":")[-1]))
    if " 200 " not in head.split("\r\n")[0]:
        raise SystemExit(f"GET {path}: {head.splitlines()[0]}: {body[:300]}")
    return body
