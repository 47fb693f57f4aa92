"""Mutual TLS: the certificate that is shown to an endpoint, and who may vouch for the endpoint's own."""

from __future__ import annotations

import hashlib
import re
import ssl
import tempfile
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PEM_MAX = 16 * 1024
CA_MAX = 64 * 1024
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class UnusableTls(ValueError):
    """The certificate, the key or the CAs cannot be used; says what to do, and never what the key is."""


class ClientTls(BaseModel):
    """A client certificate for one endpoint (mutual TLS)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    certificate: str = Field(
        min_length=1,
        max_length=PEM_MAX,
        description="PEM: the client's certificate, and after it those between it and its CA",
    )
    key: str = Field(
        min_length=1,
        max_length=PEM_MAX,
        repr=False,
        description="PEM: the certificate's private key, not encrypted; never shown again",
    )
    ca: str | None = Field(
        None,
        min_length=1,
        max_length=CA_MAX,
        description="PEM: the only CAs that may sign the endpoint's certificate; unset: the system's",
    )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the client's certificate, in hex.

        Raises:
            UnusableTls: there is none.
        """
        first = CERTIFICATE.search(self.certificate)
        if first is None:
            raise UnusableTls("the certificate is not PEM: it begins with -----BEGIN CERTIFICATE-----")
        try:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[0])).hexdigest()
        except ValueError as error:
            raise UnusableTls("the certificate is damaged: give the PEM as it was issued") from error

    def context(self) -> ssl.SSLContext:
        """A context that shows the certificate. Takes tens of milliseconds: it reads the system's CAs.

        Raises:
            UnusableTls
        """
        return self._with_chain(self._verifying() if self.ca else ssl.create_default_context())

    def check(self) -> None:
        """See whether all of it can be used.

        Raises:
            UnusableTls
        """
        self._with_chain(self._verifying() if self.ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def _verifying(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cadata=self.ca)
        except (ssl.SSLError, TypeError) as error:  # TypeError: it is not ASCII
            raise UnusableTls("ca holds no certificates that can be read: give one or more as PEM") from error

    def _with_chain(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.set_alpn_protocols(["http/1.1"])
        _ = self.fingerprint
        if "PRIVATE KEY-----" in self.certificate:
            raise UnusableTls("certificate holds a private key: give that as key")
        if "ENCRYPTED" in self.key:
            raise UnusableTls("the key is encrypted: decrypt it first, as with `openssl pkey -in key.pem`")
        if "PRIVATE KEY-----" not in self.key:
            raise UnusableTls("the key is not PEM: it begins with -----BEGIN PRIVATE KEY-----")
        # OpenSSL reads a chain from files only. This one is the owner's alone, and gone at the next line.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(f"{self.certificate}\n{self.key}\n")
            file.flush()
            try:
                # With a password at hand OpenSSL never asks for one on the terminal.
                context.load_cert_chain(file.name, password="")
            except ssl.SSLError as error:
                raise UnusableTls(_reason(error)) from None
        return context


def _reason(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate: put the certificate of this key first"
    if error.reason is None or error.reason == "PEM_LIB":
        return "the certificate or the key is damaged: give both as PEM, as they were issued"
    return f"the certificate and the key cannot be used: {error.reason.lower().replace('_', ' ')}"


def _usable(tls: ClientTls) -> ClientTls:
    tls.check()
    return tls


UsableTls = Annotated[ClientTls, AfterValidator(_usable)]
"""Checked when it is given, and not each time a record is read."""
