import hashlib
import json
from pathlib import Path

import pytest
from formats_inputs import SEED, SIGNATURES
from hypothesis import given
from hypothesis import strategies as st

from mirror.formats import ed25519

RFC_8032 = [  # section 7.1: secret, public, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        b"",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        b"\x72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        b"\xaf\x82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").digest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]

REFUSED = {
    *("low_order_A", "low_order_R", "low_order_residue"),
    *("non_canonical_A", "non_canonical_R", "reencoded_k"),
}

P = 2**255 - 19
Y8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
L = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_rfc_8032_is_followed(secret: str, public: str, message: bytes, signature: str):
    seed, key, made = map(bytes.fromhex, (secret, public, signature))

    assert ed25519.public_of(seed) == key
    assert ed25519.sign(seed, message) == made
    assert ed25519.verify(key, made, message)
    assert not ed25519.verify(key, made, message + b"\x00")


def test_wycheproof_is_judged_as_it_says(shared_data: Path):
    groups = json.loads((shared_data / "vectors/ed25519/wycheproof_ed25519.json").read_bytes())
    cases = [
        (group["publicKey"]["pk"], case)
        for group in groups["testGroups"]
        for case in group["tests"]
    ]
    wrong = [
        case["tcId"]
        for key, case in cases
        if ed25519.verify(*map(bytes.fromhex, (key, case["sig"], case["msg"])))
        != (case["result"] == "valid")
    ]

    assert len(cases) == 151
    assert not wrong


def test_cctv_is_judged_by_its_flags(shared_data: Path):
    cases = json.loads((shared_data / "vectors/ed25519/cctv_ed25519.json").read_bytes())
    wrong = [
        case["number"]
        for case in cases
        if ed25519.verify(
            bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode()
        )
        != REFUSED.isdisjoint(case["flags"] or ())
    ]

    assert len(cases) == 914
    assert not wrong


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
def test_a_signature_is_of_every_bit(seed: bytes, message: bytes, bit: int):
    public, signature = ed25519.public_of(seed), ed25519.sign(seed, message)
    flipped = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")

    assert ed25519.verify(public, signature, message)
    assert not ed25519.verify(public, flipped, message)


@given(st.binary(min_size=32, max_size=32), SIGNATURES)
def test_noise_is_no_signature(public: bytes, signature: bytes):
    assert not ed25519.verify(public, signature, b"message")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_accepts_nothing(size: int):
    assert not ed25519.verify(bytes(range(1, size + 1)), ed25519.sign(SEED, b""), b"")


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(size: int):
    signature = ed25519.sign(SEED, b"") + b"\x00"

    assert not ed25519.verify(ed25519.public_of(SEED), signature[:size], b"")


def test_a_scalar_that_is_not_reduced_is_refused():
    signature = ed25519.sign(SEED, b"")
    scalar = int.from_bytes(signature[32:], "little") + L

    assert not ed25519.verify(
        ed25519.public_of(SEED), signature[:32] + scalar.to_bytes(32, "little"), b""
    )


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, Y8, P - Y8])
@pytest.mark.parametrize("sign_bit", [0, 1 << 255])
def test_a_key_that_signed_every_message_is_refused(y: int, sign_bit: int):
    key = (y | sign_bit).to_bytes(32, "little")

    assert not ed25519.verify(key, key + bytes(32), b"any")


def test_a_key_that_is_no_point_accepts_nothing():
    assert not ed25519.verify(b"\x02" + bytes(31), ed25519.sign(SEED, b""), b"")
