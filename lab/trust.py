"""Who vouches for the lab: signatures with X25519 keys, the Noise certificate chain, the TLS authority."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import xeddsa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import wa_pb2 as wa
from lab.noise import public_bytes

_DAY = 86_400
_AUTHORITY_YEARS = 20
_LEAF_DAYS = 90
_HOST = "web.whatsapp.com"
_SIGN_BIT = 0x80


def sign(private: bytes, message: bytes) -> bytes:
    """XEdDSA: 64 bytes that whoever knows the X25519 public key can check."""
    positive = xeddsa.priv_force_sign(private, set_sign_bit=False)
    return bytes(xeddsa.ed25519_priv_sign(positive, message, os.urandom(64)))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True if ``sign`` with this key's private half made this signature of this message."""
    if len(signature) != 64 or len(public) != 32:
        return False
    edwards = xeddsa.curve25519_pub_to_ed25519_pub(public, bool(signature[63] & _SIGN_BIT))
    plain = signature[:63] + bytes((signature[63] & ~_SIGN_BIT & 0xFF,))
    return bool(xeddsa.ed25519_verify(plain, edwards, message))


@dataclass(frozen=True, slots=True)
class Roots:
    """The two keys everything else is derived from; they outlive a restart."""

    noise: bytes
    tls_key_pem: bytes
    tls_ca_pem: bytes

    @staticmethod
    def create() -> Roots:
        """Fresh roots."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Malote lab authority")
        now = datetime.datetime.now(datetime.UTC)
        authority = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=365 * _AUTHORITY_YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return Roots(
            noise=X25519PrivateKey.generate().private_bytes_raw(),
            tls_key_pem=_key_pem(key),
            tls_ca_pem=authority.public_bytes(serialization.Encoding.PEM),
        )

    @property
    def noise_public(self) -> bytes:
        """The 32 bytes a client must trust."""
        return public_bytes(X25519PrivateKey.from_private_bytes(self.noise))


@dataclass(frozen=True, slots=True)
class NoiseIdentity:
    """The server's static key and the chain that leads from it to the root."""

    static: X25519PrivateKey
    chain: bytes

    @staticmethod
    def issue(roots: Roots) -> NoiseIdentity:
        """A fresh static key, certified through a fresh intermediate."""
        intermediate, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        chain = wa.CertificateChain(
            intermediate=_certificate(roots.noise, 1, 0, public_bytes(intermediate)),
            leaf=_certificate(intermediate.private_bytes_raw(), 2, 1, public_bytes(static)),
        )
        return NoiseIdentity(static, chain.SerializeToString())


def verify_chain(root: bytes, chain: bytes, static: bytes, now: float) -> bool:
    """True if the chain leads from this root to this static key and is valid at this time (seconds)."""
    parsed = wa.CertificateChain.FromString(chain)
    details = [
        wa.NoiseCertificate.Details.FromString(part.details) for part in (parsed.intermediate, parsed.leaf)
    ]
    return (
        verify(root, parsed.intermediate.details, parsed.intermediate.signature)
        and verify(details[0].key, parsed.leaf.details, parsed.leaf.signature)
        and details[0].issuer_serial == 0
        and details[1].issuer_serial == details[0].serial
        and details[1].key == static
        and all(part.not_before <= now <= part.not_after for part in details)
    )


def server_context(roots: Roots, host: str) -> ssl.SSLContext:
    """TLS for WhatsApp's names and for the address the lab listens on, under the lab's authority."""
    authority_key = serialization.load_pem_private_key(roots.tls_key_pem, None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the lab's TLS authority has a key of another kind")
    authority = x509.load_pem_x509_certificate(roots.tls_ca_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name) for name in (_HOST, "*.whatsapp.com", "*.whatsapp.net", "localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(_HOST))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_LEAF_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(ipaddress.ip_address(host))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        # The ssl module loads keys from files only.
        path = Path(folder, "leaf.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _key_pem(key))
        context.load_cert_chain(path)
    return context


def _certificate(issuer: bytes, serial: int, issuer_serial: int, key: bytes) -> wa.NoiseCertificate:
    now = int(time.time())
    details = wa.NoiseCertificate.Details(
        serial=serial,
        issuer_serial=issuer_serial,
        key=key,
        not_before=now - _DAY,
        not_after=now + _LEAF_DAYS * _DAY,
    ).SerializeToString()
    return wa.NoiseCertificate(details=details, signature=sign(issuer, details))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
