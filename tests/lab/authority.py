"""Signs the certificates of servers on this machine."""

import datetime
import ipaddress
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAYS = 30


class Authority:
    """An authority whose own certificate is in `file`; ECDSA, which keeps a handshake small."""

    def __init__(self, file: Path) -> None:
        self._secret = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
        builder = self._builder(self._name, self._secret, days=DAYS, ca=True)
        made = builder.sign(self._secret, hashes.SHA256())
        file.write_bytes(made.public_bytes(Encoding.PEM))

    def issue(self, stem: Path, *names: str, days: int = DAYS) -> None:
        """Write a key and a certificate for `names` to `stem`.key and `stem`.pem.

        It ends in so many `days`; one of less than none has ended.
        """
        secret = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = self._builder(subject, secret, days=days, ca=False)
        builder = builder.add_extension(alternatives, critical=False)
        made = builder.sign(self._secret, hashes.SHA256())
        Path(f"{stem}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        key = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        Path(f"{stem}.key").write_bytes(key)

    def _builder(
        self, subject: x509.Name, secret: ec.EllipticCurvePrivateKey, *, days: int, ca: bool
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(secret.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=DAYS))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )


def _general(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)
