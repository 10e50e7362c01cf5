"""What rclone says of a failure, in words that name who must act."""

REFUSED = "not let in: the user, password or key is wrong or no longer valid there"
_COMPARE = "what the place's owner says"
_REASONS = (
    (
        ("knownhosts: key mismatch",),
        "another host key than the one in known_hosts: somebody stands between, or it was"
        f" renewed: compare it with {_COMPARE} before it is replaced there",
    ),
    (
        ("knownhosts: key is unknown",),
        "known_hosts has no key of this host: get it with `ssh-keyscan -p PORT HOST` and compare"
        f" it with {_COMPARE}",
    ),
    (
        # Before what a refusal is called: with its message, a place of S3's kind says AccessDenied.
        ("requesttimetooskewed", "the request time and the", "date header too old"),
        "clock skew: this machine's clock and the place's differ by minutes: set the clock",
    ),
    (
        (
            "unable to authenticate",
            "message type 51",  # how the ssh library calls a refusal that it did not expect
            "401 unauthorized",
            "530 ",
            "logon_failure",
            "signaturedoesnotmatch",
            "invalidaccesskeyid",
            "expiredtoken",
            "authenticationfailed",
            "failed to authenticate the request",  # as Azure says to a look at a file
        ),
        REFUSED,
    ),
    (
        ("api error forbidden",),  # all that S3 says to a look at a file, for that has no body
        "forbidden: the key is wrong, or not permitted to do that there, or this machine's clock"
        " is wrong",
    ),
    (
        ("nosuchbucket", "containernotfound"),
        "no such bucket: make it at the provider, or fix `to`",
    ),
    (
        ("authorizationheadermalformed", "permanentredirect"),
        "another region: fix `region` in the store's options",
    ),
    (
        ("certificate has expired",),
        "expired certificate: the place's owner must renew it, or this machine's clock is wrong",
    ),
    (
        ("http response to https client",),
        "no TLS there: the address says https and the server speaks http",
    ),
    (
        ("x509:", "tls: failed to verify"),
        "a certificate that does not hold: the address is wrong, or `ca_cert` is not given",
    ),
    (
        (
            "no space left",
            "insufficient storage",
            "disk space",
            "507 ",
            "552 ",
            "quota",
            "disk full",
            "storagefull",
        ),
        "disk full: the place needs room",
    ),
    (
        (
            "permission denied",
            "permission_denied",
            "403 forbidden",
            "access denied",
            "accessdenied",
        ),
        "not permitted: the user may not do that in this folder there",
    ),
    (
        ("405 not allowed", "405 method not allowed", "501 not implemented"),
        "the server takes no files at this address",
    ),
    (("no such host",), "no such host: the address is wrong, or no name server answers"),
    (("connection refused",), "nobody listens there: the server is down, or the port is wrong"),
    (
        ("no route to host", "network is unreachable"),
        "no way there: this machine has no network, or the address is wrong",
    ),
    (
        ("i/o timeout", "deadline exceeded", "timed out"),
        "no answer: the server, or the way there, is down",
    ),
    (
        ("500 internal", "502 bad", "503 service", "504 gateway", "statuscode: 500"),
        "the server fails: what its owner's log says of it, a full disk perhaps",
    ),
    (
        ("connection reset", "broken pipe", "connection lost", " eof"),
        "cut off: the server ended the connection",
    ),
    (
        ("didn't find section", "didn't find backend", "failed to load config", "decrypt config"),
        "no remote that rclone knows: `type` or `config` in the store's options is wrong",
    ),
)


def explain(words: str) -> str | None:
    """Return what a message of rclone means for people; None if that is not known."""
    low = words.lower()
    found = (reason for fragments, reason in _REASONS if any(each in low for each in fragments))
    return next(found, None)
