"""A repository in a bucket: one object for each key, by a conditional request that creates only what is not there."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from holdfast.errors import HoldfastError, InvalidSpec, StoreUnavailable
from holdfast.ports import Labels
from holdfast.stores.background import Background
from holdfast.stores.bucket_errors import Bucket
from holdfast.stores.patience import patiently

Client = S3Store | GCSStore | AzureStore
Result = TypeVar("Result")

_PROBE = "probe/"
_PAGE = 1000
_TOGETHER = 10
"""Objects that are deleted at the same time where each takes a request of its own, as the client does it."""
_LARGE = 1024 * 1024
_TEXT = b"Holdfast may write here."


class ObjectStore:
    """Objects below the prefix of ``client``. Thread-safe.

    Making one asks the server for a list: it raises InvalidSpec if there is no such bucket, AuthenticationFailed or
    NotAuthorized if the server refuses, StoreUnavailable if it does not answer. So do all calls.
    """

    def __init__(self, client: Client, bucket: Bucket, bulk: Client | None = None) -> None:
        """``bulk``: a client of the same that deletes many objects by one request, which some servers do not know."""
        self._client, self._bucket, self._bulk = client, bucket, bulk
        self.address = bucket.address
        self._background = Background()
        try:
            list(self.keys(_PROBE))
        except BaseException:
            self.close()
            raise

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        # A write whose confirmation was lost finds its own object at the next try; its content is the same.
        del labels
        return patiently(lambda: self._create(key, data))

    def read(self, key: str) -> bytes | None:
        async def read() -> bytes:
            found = await obstore.get_async(self._client, key)
            return bytes(await found.bytes_async())

        return self._found(read)

    def size(self, key: str) -> int | None:
        async def size() -> int:
            return (await obstore.head_async(self._client, key))["size"]

        return self._found(size)

    def keys(self, prefix: str) -> Iterator[str]:
        return (key for key, _ in self.sizes(prefix))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        pages = obstore.list(self._client, prefix, chunk_size=_PAGE)
        while page := self._result(lambda: anext(pages, None)):
            for entry in page:
                # A client that shows folders leaves empty objects named like them.
                if entry["path"].startswith(prefix):
                    yield entry["path"], entry["size"]

    def delete(self, key: str) -> None:
        def delete() -> None:
            with suppress(FileNotFoundError):
                self._result(lambda: obstore.delete_async(self._client, key))

        patiently(delete)

    def delete_many(self, keys: Sequence[str], before: Callable[[], object] = lambda: None) -> None:
        # By one request; where the server refuses that, by one each, several at a time; where it minds that one of them
        # is not there, or does not answer, one by one.
        for page in _parts(keys, _PAGE):
            if self._deleted(self._bulk, page, before):
                continue
            for some in _parts(page, _TOGETHER):
                if self._deleted(self._client, some, before):
                    continue
                for key in some:
                    before()
                    self.delete(key)

    def _deleted(self, client: Client | None, keys: Sequence[str], before: Callable[[], object]) -> bool:
        """Whether this client could delete all of them by one call."""
        if client is None:
            return False
        before()
        with suppress(FileNotFoundError, HoldfastError):
            self._result(partial(obstore.delete_async, client, keys))
            return True
        return False

    def check_writable(self) -> None:
        """Also prove that the server keeps an object that exists: some that speak S3 overwrite it all the same."""
        key = _PROBE + token_hex(8)
        self.create(key, _TEXT)
        kept = not self.create(key, b"")
        self.delete(key)
        if not kept:
            raise InvalidSpec(
                f"{self.address} overwrites objects that exist: its server does not heed If-None-Match.",
                hint="Two backups at once could damage each other there. Use a server with conditional writes.",
            )

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._background.close()

    def _create(self, key: str, data: bytes) -> bool:
        # A server may refuse an object that exists while its bytes are still on their way, and hang up: for a large one
        # a look before is cheaper than sending it in vain.
        if len(data) > _LARGE and self.size(key) is not None:
            return False
        try:
            self._result(lambda: obstore.put_async(self._client, key, data, mode="create", use_multipart=False))
        except AlreadyExistsError:
            # Also said of an object that somebody else is about to create or delete, of which nothing may come (409).
            if self.size(key) is None:
                raise StoreUnavailable(f"{self.address} was busy with another request for {key}.") from None
            return False
        except FileNotFoundError:
            raise self._bucket.missing() from None
        return True

    def _found(self, call: Callable[[], Awaitable[Result]]) -> Result | None:
        try:
            return self._result(call)
        except FileNotFoundError as error:
            if self._bucket.is_missing(error):
                raise self._bucket.missing() from None
            return None

    def _result(self, call: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return self._background.result(call)
        except AlreadyExistsError:
            raise
        except BaseError as error:
            # Not chained: the client's text may hold a signed URL.
            raise self._bucket.translated(error) from None


def _parts(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
