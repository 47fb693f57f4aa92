from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HandshakeMessage(_message.Message):
    __slots__ = ("client_hello", "server_hello", "client_finish")
    class ClientHello(_message.Message):
        __slots__ = ("ephemeral",)
        EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
        ephemeral: bytes
        def __init__(self, ephemeral: _Optional[bytes] = ...) -> None: ...
    class ServerHello(_message.Message):
        __slots__ = ("ephemeral", "static", "payload")
        EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
        STATIC_FIELD_NUMBER: _ClassVar[int]
        PAYLOAD_FIELD_NUMBER: _ClassVar[int]
        ephemeral: bytes
        static: bytes
        payload: bytes
        def __init__(self, ephemeral: _Optional[bytes] = ..., static: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...
    class ClientFinish(_message.Message):
        __slots__ = ("static", "payload")
        STATIC_FIELD_NUMBER: _ClassVar[int]
        PAYLOAD_FIELD_NUMBER: _ClassVar[int]
        static: bytes
        payload: bytes
        def __init__(self, static: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...
    CLIENT_HELLO_FIELD_NUMBER: _ClassVar[int]
    SERVER_HELLO_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FINISH_FIELD_NUMBER: _ClassVar[int]
    client_hello: HandshakeMessage.ClientHello
    server_hello: HandshakeMessage.ServerHello
    client_finish: HandshakeMessage.ClientFinish
    def __init__(self, client_hello: _Optional[_Union[HandshakeMessage.ClientHello, _Mapping]] = ..., server_hello: _Optional[_Union[HandshakeMessage.ServerHello, _Mapping]] = ..., client_finish: _Optional[_Union[HandshakeMessage.ClientFinish, _Mapping]] = ...) -> None: ...

class ClientPayload(_message.Message):
    __slots__ = ("username", "passive", "push_name", "device", "pairing", "pull")
    class PairingData(_message.Message):
        __slots__ = ("registration_id", "key_type", "identity", "signed_key_id", "signed_key", "signed_key_signature", "build_hash", "device_props")
        REGISTRATION_ID_FIELD_NUMBER: _ClassVar[int]
        KEY_TYPE_FIELD_NUMBER: _ClassVar[int]
        IDENTITY_FIELD_NUMBER: _ClassVar[int]
        SIGNED_KEY_ID_FIELD_NUMBER: _ClassVar[int]
        SIGNED_KEY_FIELD_NUMBER: _ClassVar[int]
        SIGNED_KEY_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        BUILD_HASH_FIELD_NUMBER: _ClassVar[int]
        DEVICE_PROPS_FIELD_NUMBER: _ClassVar[int]
        registration_id: bytes
        key_type: bytes
        identity: bytes
        signed_key_id: bytes
        signed_key: bytes
        signed_key_signature: bytes
        build_hash: bytes
        device_props: bytes
        def __init__(self, registration_id: _Optional[bytes] = ..., key_type: _Optional[bytes] = ..., identity: _Optional[bytes] = ..., signed_key_id: _Optional[bytes] = ..., signed_key: _Optional[bytes] = ..., signed_key_signature: _Optional[bytes] = ..., build_hash: _Optional[bytes] = ..., device_props: _Optional[bytes] = ...) -> None: ...
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSIVE_FIELD_NUMBER: _ClassVar[int]
    PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAIRING_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    username: int
    passive: bool
    push_name: str
    device: int
    pairing: ClientPayload.PairingData
    pull: bool
    def __init__(self, username: _Optional[int] = ..., passive: _Optional[bool] = ..., push_name: _Optional[str] = ..., device: _Optional[int] = ..., pairing: _Optional[_Union[ClientPayload.PairingData, _Mapping]] = ..., pull: _Optional[bool] = ...) -> None: ...

class DeviceProps(_message.Message):
    __slots__ = ("os",)
    OS_FIELD_NUMBER: _ClassVar[int]
    os: str
    def __init__(self, os: _Optional[str] = ...) -> None: ...

class NoiseCertificate(_message.Message):
    __slots__ = ("details", "signature")
    class Details(_message.Message):
        __slots__ = ("serial", "issuer_serial", "key", "not_before", "not_after")
        SERIAL_FIELD_NUMBER: _ClassVar[int]
        ISSUER_SERIAL_FIELD_NUMBER: _ClassVar[int]
        KEY_FIELD_NUMBER: _ClassVar[int]
        NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
        NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
        serial: int
        issuer_serial: int
        key: bytes
        not_before: int
        not_after: int
        def __init__(self, serial: _Optional[int] = ..., issuer_serial: _Optional[int] = ..., key: _Optional[bytes] = ..., not_before: _Optional[int] = ..., not_after: _Optional[int] = ...) -> None: ...
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    signature: bytes
    def __init__(self, details: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class CertificateChain(_message.Message):
    __slots__ = ("leaf", "intermediate")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    INTERMEDIATE_FIELD_NUMBER: _ClassVar[int]
    leaf: NoiseCertificate
    intermediate: NoiseCertificate
    def __init__(self, leaf: _Optional[_Union[NoiseCertificate, _Mapping]] = ..., intermediate: _Optional[_Union[NoiseCertificate, _Mapping]] = ...) -> None: ...

class DeviceIdentity(_message.Message):
    __slots__ = ("raw_id", "timestamp", "key_index")
    RAW_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    KEY_INDEX_FIELD_NUMBER: _ClassVar[int]
    raw_id: int
    timestamp: int
    key_index: int
    def __init__(self, raw_id: _Optional[int] = ..., timestamp: _Optional[int] = ..., key_index: _Optional[int] = ...) -> None: ...

class SignedDeviceIdentity(_message.Message):
    __slots__ = ("details", "account_signature_key", "account_signature", "device_signature")
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SIGNATURE_KEY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    account_signature_key: bytes
    account_signature: bytes
    device_signature: bytes
    def __init__(self, details: _Optional[bytes] = ..., account_signature_key: _Optional[bytes] = ..., account_signature: _Optional[bytes] = ..., device_signature: _Optional[bytes] = ...) -> None: ...

class SignedDeviceIdentityHmac(_message.Message):
    __slots__ = ("details", "hmac")
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    HMAC_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    hmac: bytes
    def __init__(self, details: _Optional[bytes] = ..., hmac: _Optional[bytes] = ...) -> None: ...

class KeyIndexList(_message.Message):
    __slots__ = ("raw_id", "timestamp", "current_index", "valid_indexes")
    RAW_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    CURRENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    VALID_INDEXES_FIELD_NUMBER: _ClassVar[int]
    raw_id: int
    timestamp: int
    current_index: int
    valid_indexes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, raw_id: _Optional[int] = ..., timestamp: _Optional[int] = ..., current_index: _Optional[int] = ..., valid_indexes: _Optional[_Iterable[int]] = ...) -> None: ...

class SignedKeyIndexList(_message.Message):
    __slots__ = ("details", "account_signature")
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    account_signature: bytes
    def __init__(self, details: _Optional[bytes] = ..., account_signature: _Optional[bytes] = ...) -> None: ...

class E2EMessage(_message.Message):
    __slots__ = ("conversation", "image", "document", "audio", "video", "sticker", "context", "poll")
    class Image(_message.Message):
        __slots__ = ("url", "mimetype", "caption", "file_sha256", "file_length", "media_key", "file_enc_sha256", "direct_path")
        URL_FIELD_NUMBER: _ClassVar[int]
        MIMETYPE_FIELD_NUMBER: _ClassVar[int]
        CAPTION_FIELD_NUMBER: _ClassVar[int]
        FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
        FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
        MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
        FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
        DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
        url: str
        mimetype: str
        caption: str
        file_sha256: bytes
        file_length: int
        media_key: bytes
        file_enc_sha256: bytes
        direct_path: str
        def __init__(self, url: _Optional[str] = ..., mimetype: _Optional[str] = ..., caption: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., media_key: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., direct_path: _Optional[str] = ...) -> None: ...
    class Document(_message.Message):
        __slots__ = ("url", "mimetype", "file_sha256", "file_length", "media_key", "file_name", "file_enc_sha256", "direct_path", "caption")
        URL_FIELD_NUMBER: _ClassVar[int]
        MIMETYPE_FIELD_NUMBER: _ClassVar[int]
        FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
        FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
        MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
        FILE_NAME_FIELD_NUMBER: _ClassVar[int]
        FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
        DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
        CAPTION_FIELD_NUMBER: _ClassVar[int]
        url: str
        mimetype: str
        file_sha256: bytes
        file_length: int
        media_key: bytes
        file_name: str
        file_enc_sha256: bytes
        direct_path: str
        caption: str
        def __init__(self, url: _Optional[str] = ..., mimetype: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., media_key: _Optional[bytes] = ..., file_name: _Optional[str] = ..., file_enc_sha256: _Optional[bytes] = ..., direct_path: _Optional[str] = ..., caption: _Optional[str] = ...) -> None: ...
    class Audio(_message.Message):
        __slots__ = ("url", "mimetype", "file_sha256", "file_length", "voice", "media_key", "file_enc_sha256", "direct_path")
        URL_FIELD_NUMBER: _ClassVar[int]
        MIMETYPE_FIELD_NUMBER: _ClassVar[int]
        FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
        FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
        VOICE_FIELD_NUMBER: _ClassVar[int]
        MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
        FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
        DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
        url: str
        mimetype: str
        file_sha256: bytes
        file_length: int
        voice: bool
        media_key: bytes
        file_enc_sha256: bytes
        direct_path: str
        def __init__(self, url: _Optional[str] = ..., mimetype: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., voice: _Optional[bool] = ..., media_key: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., direct_path: _Optional[str] = ...) -> None: ...
    class Video(_message.Message):
        __slots__ = ("url", "mimetype", "file_sha256", "file_length", "media_key", "caption", "file_enc_sha256", "direct_path")
        URL_FIELD_NUMBER: _ClassVar[int]
        MIMETYPE_FIELD_NUMBER: _ClassVar[int]
        FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
        FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
        MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
        CAPTION_FIELD_NUMBER: _ClassVar[int]
        FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
        DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
        url: str
        mimetype: str
        file_sha256: bytes
        file_length: int
        media_key: bytes
        caption: str
        file_enc_sha256: bytes
        direct_path: str
        def __init__(self, url: _Optional[str] = ..., mimetype: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., media_key: _Optional[bytes] = ..., caption: _Optional[str] = ..., file_enc_sha256: _Optional[bytes] = ..., direct_path: _Optional[str] = ...) -> None: ...
    class Sticker(_message.Message):
        __slots__ = ("url", "file_sha256", "file_enc_sha256", "media_key", "mimetype", "direct_path", "file_length")
        URL_FIELD_NUMBER: _ClassVar[int]
        FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
        FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
        MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
        MIMETYPE_FIELD_NUMBER: _ClassVar[int]
        DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
        FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
        url: str
        file_sha256: bytes
        file_enc_sha256: bytes
        media_key: bytes
        mimetype: str
        direct_path: str
        file_length: int
        def __init__(self, url: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., media_key: _Optional[bytes] = ..., mimetype: _Optional[str] = ..., direct_path: _Optional[str] = ..., file_length: _Optional[int] = ...) -> None: ...
    class Context(_message.Message):
        __slots__ = ("secret",)
        SECRET_FIELD_NUMBER: _ClassVar[int]
        secret: bytes
        def __init__(self, secret: _Optional[bytes] = ...) -> None: ...
    class Poll(_message.Message):
        __slots__ = ("name", "options", "selectable")
        class Option(_message.Message):
            __slots__ = ("name",)
            NAME_FIELD_NUMBER: _ClassVar[int]
            name: str
            def __init__(self, name: _Optional[str] = ...) -> None: ...
        NAME_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        SELECTABLE_FIELD_NUMBER: _ClassVar[int]
        name: str
        options: _containers.RepeatedCompositeFieldContainer[E2EMessage.Poll.Option]
        selectable: int
        def __init__(self, name: _Optional[str] = ..., options: _Optional[_Iterable[_Union[E2EMessage.Poll.Option, _Mapping]]] = ..., selectable: _Optional[int] = ...) -> None: ...
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    STICKER_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    POLL_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    image: E2EMessage.Image
    document: E2EMessage.Document
    audio: E2EMessage.Audio
    video: E2EMessage.Video
    sticker: E2EMessage.Sticker
    context: E2EMessage.Context
    poll: E2EMessage.Poll
    def __init__(self, conversation: _Optional[str] = ..., image: _Optional[_Union[E2EMessage.Image, _Mapping]] = ..., document: _Optional[_Union[E2EMessage.Document, _Mapping]] = ..., audio: _Optional[_Union[E2EMessage.Audio, _Mapping]] = ..., video: _Optional[_Union[E2EMessage.Video, _Mapping]] = ..., sticker: _Optional[_Union[E2EMessage.Sticker, _Mapping]] = ..., context: _Optional[_Union[E2EMessage.Context, _Mapping]] = ..., poll: _Optional[_Union[E2EMessage.Poll, _Mapping]] = ...) -> None: ...

class VerifiedName(_message.Message):
    __slots__ = ("details",)
    class Details(_message.Message):
        __slots__ = ("serial", "issuer", "verified_name")
        SERIAL_FIELD_NUMBER: _ClassVar[int]
        ISSUER_FIELD_NUMBER: _ClassVar[int]
        VERIFIED_NAME_FIELD_NUMBER: _ClassVar[int]
        serial: int
        issuer: str
        verified_name: str
        def __init__(self, serial: _Optional[int] = ..., issuer: _Optional[str] = ..., verified_name: _Optional[str] = ...) -> None: ...
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    def __init__(self, details: _Optional[bytes] = ...) -> None: ...
