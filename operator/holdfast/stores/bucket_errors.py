"""Say what the client of an object store says in our own words, without what it may give away.

The client has one kind of error for nearly everything; status, code and cause are in its text. That text also holds
URLs, which may be signed, and bodies, in which a server repeats parts of a request: none of it is passed on.
"""

import re
from dataclasses import dataclass

from holdfast.errors import AuthenticationFailed, HoldfastError, InvalidSpec, NotAuthorized, StoreFull, StoreUnavailable

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_KIND = re.compile(r"kind: (\w+)")
_TOKEN = re.compile(r"token request|/latest/api/token|/latest/meta-data/|AssumeRoleWithWebIdentity")

_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "InvalidBucketName"})
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId",
     "AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "AuthenticationRequired"}
)  # fmt: skip
_AZURE_CREDENTIALS = "Server failed to authenticate the request"
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull"})
_BUSY = frozenset({"429", "500", "502", "503", "504"})
_CONNECTION = {"Connect": "no connection", "Timeout": "no answer in time"}


@dataclass(frozen=True)
class Words:
    """Where credentials, the region and a private authority are set: variables, or fields of a policy."""

    credentials: str
    region: str = ""
    authority: str = ""


@dataclass(frozen=True)
class Bucket:
    """What messages say of a bucket."""

    address: str
    name: str
    words: Words

    def missing(self) -> InvalidSpec:
        return InvalidSpec(
            f"There is no bucket {self.name!r} for {self.address}.",
            hint="Create it, or check its name and the endpoint.",
        )

    @staticmethod
    def is_missing(error: Exception) -> bool:
        """Whether an object was not found because its bucket was not."""
        return _first(_CODE, str(error)) in _NO_BUCKET

    def translated(self, error: Exception) -> HoldfastError:
        """Our error for one of the client's."""
        text = str(error)
        status, code = _first(_STATUS, text), _first(_CODE, text)
        if code in _NO_BUCKET:
            return self.missing()
        if code in _FULL or status == "507":
            return StoreFull(f"{self.address} has no room left ({code or status}).", hint="Raise its quota.")
        if code in _CLOCK:
            return AuthenticationFailed(
                f"{self.address} refuses requests whose time is wrong ({code}).", hint="Set the clock of this machine."
            )
        if code in _REGION or "incorrectly configured region" in text:
            return InvalidSpec(
                f"{self.address} is in another region.", hint=f"Set {self.words.region or 'its region'}."
            )
        if status not in _BUSY and (refusal := self._refusal(text, status, code)):
            return refusal
        return self._unavailable(text, status, code)

    def _refusal(self, text: str, status: str, code: str) -> HoldfastError | None:
        if _TOKEN.search(text):
            return AuthenticationFailed(
                f"There are no credentials for {self.address}: none are set, and no role gives any.",
                hint=f"Set {self.words.credentials}.",
            )
        if code in _CREDENTIALS or status == "401" or _AZURE_CREDENTIALS in text:
            return AuthenticationFailed(
                f"{self.address} refuses the credentials ({code or status}).", hint=f"Check {self.words.credentials}."
            )
        if status == "403":
            return NotAuthorized(
                f"{self.address} does not allow this ({code or status}).",
                hint="Allow to list the bucket, and to read, write and delete objects below the prefix.",
            )
        return None

    def _unavailable(self, text: str, status: str, code: str) -> StoreUnavailable:
        hint = "Check the endpoint, and that it can be reached from here."
        if status:
            reason = f"{code} ({status})" if code else f"status {status}"
        elif "certificate" in text.lower():
            reason = "its certificate is not trusted"
            if self.words.authority:
                hint = f"If a private authority signed it, let {self.words.authority} name that one's certificate."
        else:
            reason = _CONNECTION.get(_first(_KIND, text), "the connection broke off")
        return StoreUnavailable(f"{self.address} does not answer as it should: {reason}.", hint=hint)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
