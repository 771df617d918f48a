"""Own every HTTP connection: limits on waiting, a cancel that hangs up, failures as one kind of error.

The only module that imports httpx2, inside functions. Knows nothing of models. Must not import anything of this package
but errors.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from json import loads as parsed
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from memcache_lsp.errors import Stopped

if TYPE_CHECKING:
    import httpx2

for _name in ("httpx2", "httpcore2"):  # they log URLs, which may hold a password
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_S = 3.0
PATIENCE_S = 2.0  # of silence, after which a server is asked whether it is there at all
ALIVE_S = 2.0  # for its answer: with the patience less than five seconds
SHORT_BYTES = 8 << 20  # of an answer to a short request; a list of some hundred models takes one
_POLL_S = 0.02  # how soon a cancel is seen
_STEP_S = 1.0  # of silence at most in one wait; a longer one was a machine that slept

T = TypeVar("T")
Failure = Literal["unreachable", "silent", "cut"]
Headers = Mapping[str, str]


class WebError(Exception):
    """A connection failed: it was not made, went silent, or was cut; `why` is what the system says."""

    def __init__(self, failure: Failure, why: str) -> None:
        super().__init__(failure, why)
        self.failure = failure
        self.why = why


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer to a short request."""

    status: int
    json: Any  # None where the body is no JSON


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine by its name."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """Return a URL without a name and password that it may hold."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


class Short:
    """Short requests to one server over a connection that is kept; to be closed."""

    def __init__(self, url: str, headers: Headers) -> None:
        import httpx2  # noqa: PLC0415 - heavy, and seldom needed

        self._loop = asyncio.new_event_loop()
        self._client = httpx2.AsyncClient(
            headers=headers, trust_env=not is_loopback(url), timeout=httpx2.Timeout(None, connect=CONNECT_S)
        )

    def ask(self, method: str, url: str, *, json: Any = None, timeout_s: float = CONNECT_S) -> Reply:
        """Return the whole answer, whatever its status; WebError where it is not there in time, or without end."""
        import httpx2  # noqa: PLC0415

        try:
            return self._loop.run_until_complete(self._asked(method, url, json, timeout_s))
        except TimeoutError:
            raise WebError("silent", f"no whole answer within {timeout_s:.1f} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _failed(error) from error

    async def _asked(self, method: str, url: str, json: Any, timeout_s: float) -> Reply:
        """Read one answer; its time is that of the whole exchange, for a server may send a byte now and then."""
        body = bytearray()
        async with asyncio.timeout(timeout_s), self._client.stream(method, url, json=json) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > SHORT_BYTES:
                    raise WebError("cut", "its answer has no end")
        try:
            return Reply(response.status_code, parsed(body))
        except ValueError:
            return Reply(response.status_code, None)

    def close(self) -> None:
        """Hang up; may be called twice."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._client.aclose())
            self._loop.close()


class Stream:
    """An answer as it comes. The connection is closed by `close`, and as soon as `stopped` says so.

    Made when its head has come. Every wait ends in `Stopped`, or in a WebError after `silence_s` without a byte
    (`then_s` once the body has begun). Only waiting counts: what lies there while its reader is elsewhere is no silence.
    With `said` bytes do not count, and the waits for them add up: whoever reads calls `hear` when they said something, for
    a server may send signs of life and nothing else. With `alive`, a URL, a server that was silent for `PATIENCE_S` is asked there, and one that does not answer has failed.
    """

    def __init__(  # noqa: PLR0913 - they name themselves
        self,
        method: str,
        url: str,
        *,
        headers: Headers,
        stopped: Callable[[], bool],
        silence_s: float,
        then_s: float | None = None,
        json: Any = None,
        alive: str = "",
        follow: bool = False,
        said: bool = False,
    ) -> None:
        import httpx2  # noqa: PLC0415 - heavy, and seldom needed

        self._stopped = stopped
        self._silence_s = silence_s
        self._then_s = then_s or silence_s
        self._said = said
        self._alive = alive
        self._loop = asyncio.new_event_loop()
        self._quiet_s = 0.0  # waited for since something was said
        self._client = httpx2.AsyncClient(
            trust_env=not is_loopback(url), timeout=httpx2.Timeout(None, connect=CONNECT_S)
        )
        self._response: httpx2.Response | None = None
        try:
            request = self._client.build_request(
                method, url, headers={**headers, "Accept-Encoding": "identity"}, json=json
            )
            self._response = self._wait(self._client.send(request, stream=True, follow_redirects=follow))
        except httpx2.InvalidURL as error:
            self.close()
            raise _failed(error) from error
        except BaseException:
            self.close()
            raise
        self.status: int = self._response.status_code
        self.headers: Headers = self._response.headers
        self.url = str(self._response.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        assert self._response is not None
        chunks = self._response.aiter_raw()

        async def following() -> bytes | None:
            return await anext(chunks, None)

        while (chunk := self._wait(following())) is not None:
            if not self._said:
                self._silence_s = self._then_s
            yield chunk

    def hear(self) -> None:
        """Take what came for an answer: the silence begins anew."""
        self._quiet_s, self._silence_s = 0.0, self._then_s

    def hurry(self, seconds: float) -> None:
        """Wait no longer than so from now on."""
        self._quiet_s, self._silence_s, self._said = 0.0, seconds, True

    def close(self) -> None:
        """Hang up; may be called twice."""
        if self._loop.is_closed():
            return
        try:
            self._loop.run_until_complete(self._end_tasks())
            if self._response is not None:
                self._loop.run_until_complete(self._response.aclose())
            self._loop.run_until_complete(self._client.aclose())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _end_tasks(self) -> None:
        """End what an interrupt left pending."""
        pending = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _wait(self, work: Awaitable[T]) -> T:
        import httpx2  # noqa: PLC0415

        try:
            return self._loop.run_until_complete(self._watched(work))
        except httpx2.HTTPError as error:
            raise _failed(error) from error

    async def _watched(self, work: Awaitable[T]) -> T:
        """Wait for the work, and look meanwhile whether to stop, and whether the server is there."""
        task = asyncio.ensure_future(work)
        asked: asyncio.Task[httpx2.Response] | None = None
        heard = now = self._loop.time()
        self._quiet_s = self._quiet_s if self._said else 0.0
        try:
            while not task.done():
                if self._stopped():
                    raise Stopped("Stopped.")
                if self._quiet_s > self._silence_s:
                    raise WebError("silent", f"not a word for {self._silence_s:g} s")
                await asyncio.wait({task}, timeout=_POLL_S)
                before, now = now, self._loop.time()
                self._quiet_s += min(now - before, _STEP_S)
                if asked is not None and asked.done():
                    if asked.exception() is not None and not task.done():
                        raise WebError("silent", "it takes no requests")
                    asked, heard = None, now
                elif asked is None and self._alive and now - heard > PATIENCE_S:
                    asked = self._loop.create_task(self._client.get(self._alive, timeout=ALIVE_S))
            return task.result()
        finally:
            waiting = [each for each in (task, asked) if each is not None]
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def _failed(error: Exception) -> WebError:
    """Tell what kind of failure an exception of the library is."""
    import httpx2  # noqa: PLC0415

    why = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout):
        return WebError("unreachable", f"no connection within {CONNECT_S:.0f} s")
    if isinstance(error, httpx2.TimeoutException):
        return WebError("silent", "no answer in time")
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError | httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return WebError("unreachable", why)
    if isinstance(error, httpx2.TooManyRedirects):
        return WebError("unreachable", "it redirects without end")
    return WebError("cut", why)
