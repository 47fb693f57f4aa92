"""Downloading a file that a customer named by its URL: only from where anybody may connect to, only so much,
and only so slowly.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aiohttp
from yarl import URL

from actors.courier.egress import Egress, ForbiddenAddress, NameUnknown, ProxyFailure, Unreachable
from actors.courier.url import check_url
from actors.media.errors import Code, MediaError, too_large
from actors.media.media import file_name_of, mime_type_of
from actors.media.spool import spool
from actors.settings import MediaSettings

HEADERS = {
    "user-agent": f"Malote/{version('malote')}",
    "accept": "*/*",
    "accept-encoding": "identity",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another attempt may not get."""
FIRST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server said about a file that is here now.

    Args:
        size: bytes.
        mime_type: what it was called, None if nothing useful. Whether that is true is not known yet.
        file_name: by the server, or by the URL's path.
    """

    size: int
    mime_type: str | None
    file_name: str | None


class Fetcher:
    """Downloads files.

    Args:
        egress: the way out. It stays the caller's.
        settings: deadlines, rates and attempts.
    """

    def __init__(self, egress: Egress, settings: MediaSettings) -> None:
        self._egress = egress
        self._settings = settings

    async def fetch(self, url: str, path: Path, *, cap: int) -> Fetched:
        """Download a file.

        Args:
            path: where to; it is written anew by each attempt.
            cap: the most bytes that are taken.

        Raises:
            MediaError: what is wrong with the URL or its server, and what to do.
        """
        settings = self._settings
        last: MediaError | None = None
        try:
            async with asyncio.timeout(settings.fetch_timeout):
                for attempt in range(settings.fetch_attempts):
                    if attempt:
                        await asyncio.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
                    try:
                        return await self._attempt(url, path, cap)
                    except MediaError as error:
                        if not error.again or error.code is Code.STORE:
                            raise
                        last = error
        except TimeoutError as error:
            raise last or MediaError(
                Code.SLOW,
                f"the URL's server did not deliver the file within {settings.fetch_timeout:g} s: "
                "put it on a faster one, or upload it",
                again=True,
            ) from error
        assert last is not None
        raise last

    async def _attempt(self, text: str, path: Path, cap: int) -> Fetched:
        url = _checked(text, "the URL")
        for _ in range(self._settings.fetch_redirects + 1):
            async with await self._get(url) as response:
                if response.status not in REDIRECTS:
                    return await self._received(url, response, path, cap)
                url = _next(url, response)
        raise MediaError(
            Code.REDIRECTS,
            f"the URL leads from one to another more than {self._settings.fetch_redirects} times: "
            "give the address that is behind them",
        )

    async def _get(self, url: URL) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self._settings.fetch_connect_timeout + self._settings.fetch_window):
                return await self._egress.get(
                    url, headers=HEADERS, connect_timeout=self._settings.fetch_connect_timeout
                )
        except aiohttp.ServerTimeoutError as error:
            raise _unreachable(url, "it does not answer a connection") from error
        except TimeoutError as error:
            raise MediaError(
                Code.SLOW, f"the server at {url.host} took the request and says nothing: try it in a browser",
                again=True,
            ) from error  # fmt: skip
        except (aiohttp.ClientError, OSError, ProxyFailure) as error:
            raise _explained(url, error) from error

    async def _received(self, url: URL, response: aiohttp.ClientResponse, path: Path, cap: int) -> Fetched:
        if response.status != 200:
            raise MediaError(
                Code.STATUS,
                f"the server at {url.host} answered {response.status} instead of the file: "
                "it has to be there for all who know the URL, without cookies or keys",
                again=response.status in PASSING,
            )
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise MediaError(
                Code.BROKEN, f"the server at {url.host} sends the file compressed ({encoding[:20]}), though "
                "not asked to: have it sent as it is",
            )  # fmt: skip
        if (response.content_length or 0) > cap:
            raise too_large(cap)
        size = await spool(self._body(url, response), path, cap=cap)
        disposition = response.content_disposition
        named = disposition.filename if disposition is not None else None
        return Fetched(
            size,
            mime_type_of(response.headers.get("content-type")),
            file_name_of(named) or file_name_of(url.name),
        )

    async def _body(self, url: URL, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body in pieces, as long as every window of time brings enough of it."""
        clock = asyncio.get_running_loop().time
        window, least = self._settings.fetch_window, self._settings.fetch_rate * self._settings.fetch_window
        end, got = clock() + window, 0
        while True:
            try:
                async with asyncio.timeout_at(end):
                    chunk = await response.content.readany()
            except TimeoutError as error:
                if got < least:
                    raise MediaError(
                        Code.SLOW,
                        f"the server at {url.host} sends less than {self._settings.fetch_rate} bytes/s: "
                        "put the file on a faster one, or upload it",
                        again=True,
                    ) from error
                end, got = clock() + window, 0
                continue
            except (aiohttp.ClientError, OSError) as error:
                raise MediaError(
                    Code.BROKEN,
                    f"the server at {url.host} broke off before the file's end: see that it is whole there",
                    again=True,
                ) from error
            if not chunk:
                return
            got += len(chunk)
            yield chunk


def _checked(text: str, what: str) -> URL:
    try:
        return URL(check_url(text))
    except ValueError as error:
        raise MediaError(Code.URL, f"{what} cannot be used: {error}") from error


def _next(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("location", "")
    try:
        target = url.join(URL(location)).with_fragment(None)
    except ValueError:
        target = None
    if not location or target is None:
        raise MediaError(
            Code.REDIRECTS,
            f"the server at {url.host} redirects to nowhere: give the address of the file itself",
        )
    return _checked(str(target), f"the address that {url.host} redirects to")


def _explained(url: URL, error: Exception) -> MediaError:
    refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(refused, ForbiddenAddress):
        return MediaError(Code.FORBIDDEN, f"{refused}: give a URL on the public internet, or upload the file")
    if isinstance(error, aiohttp.ClientConnectorDNSError | NameUnknown):
        return _unreachable(url, "its name is not known")
    if isinstance(error, ProxyFailure | Unreachable):
        return _unreachable(url, str(error))
    if isinstance(error.__cause__, ssl.SSLError) or isinstance(error, aiohttp.ClientSSLError):
        return _unreachable(url, "its certificate is not valid, or it speaks no TLS", again=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unreachable(url, "it takes no connection")
    return _unreachable(url, "it broke off, or does not speak HTTP")


def _unreachable(url: URL, why: str, *, again: bool = True) -> MediaError:
    return MediaError(
        Code.UNREACHABLE,
        f"the server at {url.host} cannot be reached: {why}; check the URL, or upload the file",
        again=again,
    )
