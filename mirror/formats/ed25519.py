"""Ed25519 (RFC 8032), judged strictly: one message, one key, one accepted signature.

OpenSSL, which `cryptography` calls, refuses a scalar S that is not reduced and checks
the equation without the cofactor. What it lets through and this module refuses: points
of low order (a key that "signed" every message) and points in a second encoding. With
both, two verifiers could disagree about one signature.

Vectors: Wycheproof `ed25519`, C2SP CCTV `ed25519vectors`.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_SIZE = 32  # bytes, public key and seed alike
SIGNATURE_SIZE = 64  # bytes

_P = 2**255 - 19
_SIGN_BIT = 1 << 255

_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # of order 8

_LOW_ORDER_Y = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})
"""The y coordinates of the eight points whose order divides 8."""


def public_of(seed: bytes) -> bytes:
    """Return the public key (32 bytes) of a secret `seed` (32 bytes)."""
    return _private(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte signature of `message`; the same every time (RFC 8032)."""
    return _private(seed).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether `signature` is the holder of `public`'s on `message`."""
    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    if not (_is_sound(public) and _is_sound(signature[:32])):
        return False
    try:
        _public(public).verify(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: no point has these bytes
        return False
    return True


def _is_sound(point: bytes) -> bool:
    """Return whether `point` is canonically encoded and not of low order."""
    y = int.from_bytes(point, "little") & ~_SIGN_BIT
    return y < _P and y not in _LOW_ORDER_Y


@lru_cache(maxsize=64)  # a verifier meets a handful of keys, thousands of times
def _public(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


@lru_cache(maxsize=16)  # a signer holds five
def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
