"""What a flood of small events from one provider costs the others: 100 MB, by default.

`python tests/benchmarks/flood.py [megabytes]` prints how long the loop stood still at most, what a run on another
server took beside the flood and without it, and how soon a cancel of the flooded run was through.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import threading
import time

EVENT = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
)
BLOCK = EVENT * 400


def serve(listener: socket.socket, megabytes: float) -> None:
    """Answer each connection with that much, as fast as it is read."""
    while True:
        connection, _ = listener.accept()
        connection.recv(65_536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        try:
            connection.sendall(head)
            for _ in range(int(megabytes * 1e6 / len(BLOCK))):
                connection.sendall(BLOCK)
            connection.sendall(EVENT.replace(b"null", b'"stop"') + b"data: [DONE]\n\n")
        except OSError:
            pass
        connection.close()


async def stalls(over: threading.Event) -> list[float]:
    """Return how late the loop was, each time it was asked, in seconds."""
    loop = asyncio.get_running_loop()
    late = []
    while not over.is_set():
        at = loop.time()
        await asyncio.sleep(0.002)
        late.append(loop.time() - at - 0.002)
    return late


def main(megabytes: float) -> None:
    """Print the figures."""
    from nbagent import Agent, Limits, OpenAIChat
    from nbagent.demo import DemoProcess
    from nbagent.runtime import current

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, megabytes), daemon=True).start()
    flood = Agent(
        model=OpenAIChat(id="m", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", api_key="x"),
        limits=Limits(model_retries=0),
    )
    demo = DemoProcess(speed=1000)
    other = Agent(model=OpenAIChat(id="assistant", base_url=demo.start(), api_key="x"))
    other.start("What is the capital of France?").wait(30)

    def took(count: int, until: object = None) -> list[float]:
        times: list[float] = []
        while len(times) < count or (until is not None and not until.done()):  # type: ignore[attr-defined]
            began = time.perf_counter()
            other.start("What is the capital of France?").wait(60)
            times.append(time.perf_counter() - began)
        return times

    alone = max(took(10))
    over = threading.Event()
    lateness = current().thread.submit(stalls(over))
    run, began, spent = flood.start("go"), time.perf_counter(), time.process_time()
    beside = took(1, run)
    lasted, spent = time.perf_counter() - began, time.process_time() - spent
    over.set()
    late = lateness.result(10)
    print(f"{megabytes:g} MB in small events: {run.status.value} after {lasted:.1f} s, {spent:.1f} s of CPU")
    print(
        f"the loop was late by {max(late) * 1000:.0f} ms at most, {sorted(late)[len(late) // 2] * 1000:.1f} ms most often"
    )
    print(f"another run took {max(beside) * 1000:.0f} ms at most beside it, {alone * 1000:.0f} ms without it")
    run = flood.start("go")
    while not run.text:
        time.sleep(0.01)
    time.sleep(0.5)
    began = time.perf_counter()
    run.cancel()
    run.wait(30)
    print(f"a cancel was through after {(time.perf_counter() - began) * 1000:.0f} ms")
    demo.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0)
        sys.stdout.flush()
        os._exit(0)
