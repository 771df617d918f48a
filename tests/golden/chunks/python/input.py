"""Keep a connection pool to the message broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

MAX_CONNECTIONS = 8
default_timeout: float = 2.5


@dataclass(frozen=True)
class Address:
    """Where the broker listens."""

    host: str
    port: int = 5672

    @property
    def url(self) -> str:
        return f"amqp://{self.host}:{self.port}"


class Pool:
    """Hand out connections, at most MAX_CONNECTIONS at a time."""

    retries = 3

    def __init__(self, address: Address) -> None:
        self.address = address
        self._free: list[Connection] = []
        self._limit = asyncio.Semaphore(MAX_CONNECTIONS)

    # A connection that was lost is replaced here,
    # never where it is used.
    async def acquire(self) -> Connection:
        await self._limit.acquire()
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                return connection
        for attempt in range(self.retries):
            try:
                return await Connection.open(self.address)
            except OSError:
                await asyncio.sleep(2**attempt)
        raise ConnectionError(self.address.url)

    def release(self, connection: Connection) -> None:
        self._free.append(connection)
        self._limit.release()


def backoff(attempt: int):
    """Wait longer after each failure."""

    def jitter() -> float:
        return attempt * 0.1

    return 2**attempt + jitter()


if __name__ == "__main__":
    asyncio.run(Pool(Address("localhost")).acquire())
