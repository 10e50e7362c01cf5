"""What went wrong at an object store, in words of our own: who must act, and never a secret.

What the place answered is not repeated: an S3 error quotes the key's name, the signature and the
text that was signed, and the library adds the address with whatever was asked.
"""

import re

_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})\b|\bstatus: ([0-9]{3}),")

_CREDENTIALS = "wrong credentials: put the right ones into the store's secret"
_REGION = "another region: fix options.region"
_BUCKET = "no such bucket: make it at the provider, or fix `to`"
_FORBIDDEN = "forbidden: give these credentials the right to read, write, list and delete there"
_CLOCK = "clock skew: this machine's clock and the place's differ by minutes: set the clock"
_FULL = "full: make room there, or raise the quota"
_BUSY = "asked for less: tried again later"
_FAILS = "fails there: its owner's log says of what, a full disk perhaps: tried again later"
_SUSPENDED = "suspended: the account is closed, or not paid: ask the provider"

_CODES = {
    _CREDENTIALS: "SignatureDoesNotMatch InvalidAccessKeyId InvalidToken ExpiredToken"
    " AuthenticationFailed InvalidAuthenticationInfo",
    _REGION: "AuthorizationHeaderMalformed PermanentRedirect IllegalLocationConstraintException",
    _BUCKET: "NoSuchBucket InvalidBucketName ContainerNotFound",
    _FORBIDDEN: "AccessDenied AuthorizationFailure AuthorizationPermissionMismatch"
    " MethodNotAllowed",
    _CLOCK: "RequestTimeTooSkewed RequestExpired",
    _FULL: "QuotaExceeded InsufficientStorage StorageFull XMinioStorageFull EntityTooLarge"
    " XMinioAdminBucketQuotaExceeded",
    _BUSY: "SlowDown TooManyRequests ServerBusy",
    _SUSPENDED: "AccountProblem AllAccessDisabled AccountIsDisabled UserSuspended",
}
"""As Amazon, Google, Azure and MinIO name it."""

_BY_CODE = {code: words for words, codes in _CODES.items() for code in codes.split()}
_BY_STATUS = {
    "400": "refused: status 400: see that options and secret are of this place",
    "401": _CREDENTIALS,
    "402": _SUSPENDED,
    "403": _FORBIDDEN,
    "404": _BUCKET,
    "405": _FORBIDDEN,
    "413": _FULL,
    "429": _BUSY,
    "500": _FAILS,
    "501": "not implemented there: another kind of store is needed",
    "503": _BUSY,
    "507": _FULL,
}
_SKEWED = re.compile("date header too old|difference between the request time and the")
"""Within Azure's AuthenticationFailed, and an AccessDenied of others: of a clock that is behind."""
_NO_HOST = "no such host: fix options.endpoint"
_NO_ENDPOINT = "no endpoint given, so Amazon was asked: --option endpoint=https://…"
_BY_MARK = (  # of what failed below HTTP, the first that fits
    (r"InvalidCertificate\(\s*Expired", "certificate expired: who runs the place must renew it"),
    (
        r"InvalidCertificate\(\s*NotValidForName",
        "certificate of another name: fix options.endpoint",
    ),
    (r"InvalidCertificate\(\s*NotValidYet", "certificate not valid yet: set this machine's clock"),
    (
        r"InvalidCertificate|UnknownIssuer|AlertReceived",
        "certificate not trusted: name its authority's file in options.ca",
    ),
    (r"dns error|failed to lookup|Name or service", _NO_HOST),
    (r"ConnectionRefused|Connection refused", "does not answer: connection refused"),
    (r"kind: Timeout|TimedOut|timed out", "does not answer: too slow"),
    (r"invalid_grant|invalid_client|[Tt]oken", _CREDENTIALS),
    (r"error sending request|ConnectionReset|HTTP error", "does not answer: connection lost"),
)


def in_words(error: Exception, *, amazon: bool = False) -> str:
    """Return what failed and who must act; nothing of what the place or the library wrote.

    `amazon`: it was asked because no other endpoint was named.
    """
    text = str(error)
    code, status = _CODE.search(text), _STATUS.search(text)
    if _SKEWED.search(text):
        return _CLOCK
    if code and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    if status:
        number = status[1] or status[2]
        return _BY_STATUS.get(number, f"status {number}: tried again later")
    marked = (words for mark, words in _BY_MARK if re.search(mark, text))
    found = next(marked, f"failed: {type(error).__name__}")
    return _NO_ENDPOINT if amazon and found == _NO_HOST else found


def is_no_bucket(error: Exception) -> bool:
    """Return whether not a file, but all of the place is missing."""
    code = _CODE.search(str(error))
    return code is not None and _BY_CODE.get(code[1]) == _BUCKET
