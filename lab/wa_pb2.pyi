from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HistorySyncType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INITIAL_BOOTSTRAP: _ClassVar[HistorySyncType]
    INITIAL_STATUS_V3: _ClassVar[HistorySyncType]
    FULL: _ClassVar[HistorySyncType]
    RECENT: _ClassVar[HistorySyncType]
    PUSH_NAME: _ClassVar[HistorySyncType]
    NON_BLOCKING_DATA: _ClassVar[HistorySyncType]
    ON_DEMAND: _ClassVar[HistorySyncType]
INITIAL_BOOTSTRAP: HistorySyncType
INITIAL_STATUS_V3: HistorySyncType
FULL: HistorySyncType
RECENT: HistorySyncType
PUSH_NAME: HistorySyncType
NON_BLOCKING_DATA: HistorySyncType
ON_DEMAND: HistorySyncType

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
    __slots__ = ("os", "require_full_sync")
    OS_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_FULL_SYNC_FIELD_NUMBER: _ClassVar[int]
    os: str
    require_full_sync: bool
    def __init__(self, os: _Optional[str] = ..., require_full_sync: _Optional[bool] = ...) -> None: ...

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

class PeerMessage(_message.Message):
    __slots__ = ("protocol_message",)
    PROTOCOL_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    protocol_message: ProtocolMessage
    def __init__(self, protocol_message: _Optional[_Union[ProtocolMessage, _Mapping]] = ...) -> None: ...

class ProtocolMessage(_message.Message):
    __slots__ = ("type", "history_sync_notification", "app_state_key_share", "app_state_key_request", "peer_data_operation_request")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REVOKE: _ClassVar[ProtocolMessage.Type]
        HISTORY_SYNC_NOTIFICATION: _ClassVar[ProtocolMessage.Type]
        APP_STATE_SYNC_KEY_SHARE: _ClassVar[ProtocolMessage.Type]
        APP_STATE_SYNC_KEY_REQUEST: _ClassVar[ProtocolMessage.Type]
        PEER_DATA_OPERATION_REQUEST_MESSAGE: _ClassVar[ProtocolMessage.Type]
    REVOKE: ProtocolMessage.Type
    HISTORY_SYNC_NOTIFICATION: ProtocolMessage.Type
    APP_STATE_SYNC_KEY_SHARE: ProtocolMessage.Type
    APP_STATE_SYNC_KEY_REQUEST: ProtocolMessage.Type
    PEER_DATA_OPERATION_REQUEST_MESSAGE: ProtocolMessage.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SYNC_NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    APP_STATE_KEY_SHARE_FIELD_NUMBER: _ClassVar[int]
    APP_STATE_KEY_REQUEST_FIELD_NUMBER: _ClassVar[int]
    PEER_DATA_OPERATION_REQUEST_FIELD_NUMBER: _ClassVar[int]
    type: ProtocolMessage.Type
    history_sync_notification: HistorySyncNotification
    app_state_key_share: AppStateKeyShare
    app_state_key_request: AppStateKeyRequest
    peer_data_operation_request: PeerDataOperationRequest
    def __init__(self, type: _Optional[_Union[ProtocolMessage.Type, str]] = ..., history_sync_notification: _Optional[_Union[HistorySyncNotification, _Mapping]] = ..., app_state_key_share: _Optional[_Union[AppStateKeyShare, _Mapping]] = ..., app_state_key_request: _Optional[_Union[AppStateKeyRequest, _Mapping]] = ..., peer_data_operation_request: _Optional[_Union[PeerDataOperationRequest, _Mapping]] = ...) -> None: ...

class HistorySyncNotification(_message.Message):
    __slots__ = ("file_sha256", "file_length", "media_key", "file_enc_sha256", "direct_path", "sync_type", "chunk_order", "original_message_id", "progress", "inline_payload", "peer_data_request_session_id")
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
    FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
    DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
    SYNC_TYPE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ORDER_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    INLINE_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PEER_DATA_REQUEST_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    file_sha256: bytes
    file_length: int
    media_key: bytes
    file_enc_sha256: bytes
    direct_path: str
    sync_type: HistorySyncType
    chunk_order: int
    original_message_id: str
    progress: int
    inline_payload: bytes
    peer_data_request_session_id: str
    def __init__(self, file_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., media_key: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., direct_path: _Optional[str] = ..., sync_type: _Optional[_Union[HistorySyncType, str]] = ..., chunk_order: _Optional[int] = ..., original_message_id: _Optional[str] = ..., progress: _Optional[int] = ..., inline_payload: _Optional[bytes] = ..., peer_data_request_session_id: _Optional[str] = ...) -> None: ...

class PeerDataOperationRequest(_message.Message):
    __slots__ = ("type", "history_on_demand")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UPLOAD_STICKER: _ClassVar[PeerDataOperationRequest.Type]
        HISTORY_SYNC_ON_DEMAND: _ClassVar[PeerDataOperationRequest.Type]
    UPLOAD_STICKER: PeerDataOperationRequest.Type
    HISTORY_SYNC_ON_DEMAND: PeerDataOperationRequest.Type
    class HistoryOnDemand(_message.Message):
        __slots__ = ("chat", "oldest_id", "oldest_from_me", "count", "oldest_timestamp")
        CHAT_FIELD_NUMBER: _ClassVar[int]
        OLDEST_ID_FIELD_NUMBER: _ClassVar[int]
        OLDEST_FROM_ME_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        OLDEST_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        chat: str
        oldest_id: str
        oldest_from_me: bool
        count: int
        oldest_timestamp: int
        def __init__(self, chat: _Optional[str] = ..., oldest_id: _Optional[str] = ..., oldest_from_me: _Optional[bool] = ..., count: _Optional[int] = ..., oldest_timestamp: _Optional[int] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_ON_DEMAND_FIELD_NUMBER: _ClassVar[int]
    type: PeerDataOperationRequest.Type
    history_on_demand: PeerDataOperationRequest.HistoryOnDemand
    def __init__(self, type: _Optional[_Union[PeerDataOperationRequest.Type, str]] = ..., history_on_demand: _Optional[_Union[PeerDataOperationRequest.HistoryOnDemand, _Mapping]] = ...) -> None: ...

class HistorySync(_message.Message):
    __slots__ = ("sync_type", "conversations", "chunk_order", "progress", "mappings")
    class PhoneNumberToLid(_message.Message):
        __slots__ = ("phone", "lid")
        PHONE_FIELD_NUMBER: _ClassVar[int]
        LID_FIELD_NUMBER: _ClassVar[int]
        phone: str
        lid: str
        def __init__(self, phone: _Optional[str] = ..., lid: _Optional[str] = ...) -> None: ...
    SYNC_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONVERSATIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ORDER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MAPPINGS_FIELD_NUMBER: _ClassVar[int]
    sync_type: HistorySyncType
    conversations: _containers.RepeatedCompositeFieldContainer[Conversation]
    chunk_order: int
    progress: int
    mappings: _containers.RepeatedCompositeFieldContainer[HistorySync.PhoneNumberToLid]
    def __init__(self, sync_type: _Optional[_Union[HistorySyncType, str]] = ..., conversations: _Optional[_Iterable[_Union[Conversation, _Mapping]]] = ..., chunk_order: _Optional[int] = ..., progress: _Optional[int] = ..., mappings: _Optional[_Iterable[_Union[HistorySync.PhoneNumberToLid, _Mapping]]] = ...) -> None: ...

class Conversation(_message.Message):
    __slots__ = ("id", "messages", "unread", "end_of_history", "timestamp", "name", "archived", "pinned", "phone", "lid")
    class EndOfHistory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MORE_REMAINS: _ClassVar[Conversation.EndOfHistory]
        NO_MORE_REMAINS: _ClassVar[Conversation.EndOfHistory]
    MORE_REMAINS: Conversation.EndOfHistory
    NO_MORE_REMAINS: Conversation.EndOfHistory
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    END_OF_HISTORY_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LID_FIELD_NUMBER: _ClassVar[int]
    id: str
    messages: _containers.RepeatedCompositeFieldContainer[HistoryMessage]
    unread: int
    end_of_history: Conversation.EndOfHistory
    timestamp: int
    name: str
    archived: bool
    pinned: int
    phone: str
    lid: str
    def __init__(self, id: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[HistoryMessage, _Mapping]]] = ..., unread: _Optional[int] = ..., end_of_history: _Optional[_Union[Conversation.EndOfHistory, str]] = ..., timestamp: _Optional[int] = ..., name: _Optional[str] = ..., archived: _Optional[bool] = ..., pinned: _Optional[int] = ..., phone: _Optional[str] = ..., lid: _Optional[str] = ...) -> None: ...

class HistoryMessage(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: WebMessage
    def __init__(self, message: _Optional[_Union[WebMessage, _Mapping]] = ...) -> None: ...

class WebMessage(_message.Message):
    __slots__ = ("key", "message", "timestamp", "participant", "push_name")
    class Key(_message.Message):
        __slots__ = ("chat", "from_me", "id", "participant")
        CHAT_FIELD_NUMBER: _ClassVar[int]
        FROM_ME_FIELD_NUMBER: _ClassVar[int]
        ID_FIELD_NUMBER: _ClassVar[int]
        PARTICIPANT_FIELD_NUMBER: _ClassVar[int]
        chat: str
        from_me: bool
        id: str
        participant: str
        def __init__(self, chat: _Optional[str] = ..., from_me: _Optional[bool] = ..., id: _Optional[str] = ..., participant: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANT_FIELD_NUMBER: _ClassVar[int]
    PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
    key: WebMessage.Key
    message: bytes
    timestamp: int
    participant: str
    push_name: str
    def __init__(self, key: _Optional[_Union[WebMessage.Key, _Mapping]] = ..., message: _Optional[bytes] = ..., timestamp: _Optional[int] = ..., participant: _Optional[str] = ..., push_name: _Optional[str] = ...) -> None: ...

class AppStateKey(_message.Message):
    __slots__ = ("id", "data")
    class Id(_message.Message):
        __slots__ = ("id",)
        ID_FIELD_NUMBER: _ClassVar[int]
        id: bytes
        def __init__(self, id: _Optional[bytes] = ...) -> None: ...
    class Fingerprint(_message.Message):
        __slots__ = ("raw_id", "current_index", "device_indexes")
        RAW_ID_FIELD_NUMBER: _ClassVar[int]
        CURRENT_INDEX_FIELD_NUMBER: _ClassVar[int]
        DEVICE_INDEXES_FIELD_NUMBER: _ClassVar[int]
        raw_id: int
        current_index: int
        device_indexes: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, raw_id: _Optional[int] = ..., current_index: _Optional[int] = ..., device_indexes: _Optional[_Iterable[int]] = ...) -> None: ...
    class Data(_message.Message):
        __slots__ = ("key", "fingerprint", "timestamp")
        KEY_FIELD_NUMBER: _ClassVar[int]
        FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
        TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        fingerprint: AppStateKey.Fingerprint
        timestamp: int
        def __init__(self, key: _Optional[bytes] = ..., fingerprint: _Optional[_Union[AppStateKey.Fingerprint, _Mapping]] = ..., timestamp: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: AppStateKey.Id
    data: AppStateKey.Data
    def __init__(self, id: _Optional[_Union[AppStateKey.Id, _Mapping]] = ..., data: _Optional[_Union[AppStateKey.Data, _Mapping]] = ...) -> None: ...

class AppStateKeyShare(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[AppStateKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[AppStateKey, _Mapping]]] = ...) -> None: ...

class AppStateKeyRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedCompositeFieldContainer[AppStateKey.Id]
    def __init__(self, ids: _Optional[_Iterable[_Union[AppStateKey.Id, _Mapping]]] = ...) -> None: ...

class SyncVersion(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class SyncBlob(_message.Message):
    __slots__ = ("blob",)
    BLOB_FIELD_NUMBER: _ClassVar[int]
    blob: bytes
    def __init__(self, blob: _Optional[bytes] = ...) -> None: ...

class SyncRecord(_message.Message):
    __slots__ = ("index", "value", "key_id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    index: SyncBlob
    value: SyncBlob
    key_id: SyncBlob
    def __init__(self, index: _Optional[_Union[SyncBlob, _Mapping]] = ..., value: _Optional[_Union[SyncBlob, _Mapping]] = ..., key_id: _Optional[_Union[SyncBlob, _Mapping]] = ...) -> None: ...

class SyncMutation(_message.Message):
    __slots__ = ("operation", "record")
    class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SET: _ClassVar[SyncMutation.Operation]
        REMOVE: _ClassVar[SyncMutation.Operation]
    SET: SyncMutation.Operation
    REMOVE: SyncMutation.Operation
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    operation: SyncMutation.Operation
    record: SyncRecord
    def __init__(self, operation: _Optional[_Union[SyncMutation.Operation, str]] = ..., record: _Optional[_Union[SyncRecord, _Mapping]] = ...) -> None: ...

class SyncPatch(_message.Message):
    __slots__ = ("version", "mutations", "snapshot_mac", "patch_mac", "key_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MUTATIONS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_MAC_FIELD_NUMBER: _ClassVar[int]
    PATCH_MAC_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    version: SyncVersion
    mutations: _containers.RepeatedCompositeFieldContainer[SyncMutation]
    snapshot_mac: bytes
    patch_mac: bytes
    key_id: SyncBlob
    def __init__(self, version: _Optional[_Union[SyncVersion, _Mapping]] = ..., mutations: _Optional[_Iterable[_Union[SyncMutation, _Mapping]]] = ..., snapshot_mac: _Optional[bytes] = ..., patch_mac: _Optional[bytes] = ..., key_id: _Optional[_Union[SyncBlob, _Mapping]] = ...) -> None: ...

class SyncSnapshot(_message.Message):
    __slots__ = ("version", "records", "mac", "key_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    version: SyncVersion
    records: _containers.RepeatedCompositeFieldContainer[SyncRecord]
    mac: bytes
    key_id: SyncBlob
    def __init__(self, version: _Optional[_Union[SyncVersion, _Mapping]] = ..., records: _Optional[_Iterable[_Union[SyncRecord, _Mapping]]] = ..., mac: _Optional[bytes] = ..., key_id: _Optional[_Union[SyncBlob, _Mapping]] = ...) -> None: ...

class SyncFile(_message.Message):
    __slots__ = ("media_key", "direct_path", "file_length", "file_sha256", "file_enc_sha256")
    MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
    DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
    FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
    media_key: bytes
    direct_path: str
    file_length: int
    file_sha256: bytes
    file_enc_sha256: bytes
    def __init__(self, media_key: _Optional[bytes] = ..., direct_path: _Optional[str] = ..., file_length: _Optional[int] = ..., file_sha256: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ...) -> None: ...

class SyncAction(_message.Message):
    __slots__ = ("index", "value", "padding", "version")
    class Mute(_message.Message):
        __slots__ = ("muted", "until")
        MUTED_FIELD_NUMBER: _ClassVar[int]
        UNTIL_FIELD_NUMBER: _ClassVar[int]
        muted: bool
        until: int
        def __init__(self, muted: _Optional[bool] = ..., until: _Optional[int] = ...) -> None: ...
    class Pin(_message.Message):
        __slots__ = ("pinned",)
        PINNED_FIELD_NUMBER: _ClassVar[int]
        pinned: bool
        def __init__(self, pinned: _Optional[bool] = ...) -> None: ...
    class Archive(_message.Message):
        __slots__ = ("archived",)
        ARCHIVED_FIELD_NUMBER: _ClassVar[int]
        archived: bool
        def __init__(self, archived: _Optional[bool] = ...) -> None: ...
    class Read(_message.Message):
        __slots__ = ("read",)
        READ_FIELD_NUMBER: _ClassVar[int]
        read: bool
        def __init__(self, read: _Optional[bool] = ...) -> None: ...
    class Star(_message.Message):
        __slots__ = ("starred",)
        STARRED_FIELD_NUMBER: _ClassVar[int]
        starred: bool
        def __init__(self, starred: _Optional[bool] = ...) -> None: ...
    class PushName(_message.Message):
        __slots__ = ("name",)
        NAME_FIELD_NUMBER: _ClassVar[int]
        name: str
        def __init__(self, name: _Optional[str] = ...) -> None: ...
    class Value(_message.Message):
        __slots__ = ("timestamp", "star", "mute", "pin", "push_name", "archive", "read")
        TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
        STAR_FIELD_NUMBER: _ClassVar[int]
        MUTE_FIELD_NUMBER: _ClassVar[int]
        PIN_FIELD_NUMBER: _ClassVar[int]
        PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
        ARCHIVE_FIELD_NUMBER: _ClassVar[int]
        READ_FIELD_NUMBER: _ClassVar[int]
        timestamp: int
        star: SyncAction.Star
        mute: SyncAction.Mute
        pin: SyncAction.Pin
        push_name: SyncAction.PushName
        archive: SyncAction.Archive
        read: SyncAction.Read
        def __init__(self, timestamp: _Optional[int] = ..., star: _Optional[_Union[SyncAction.Star, _Mapping]] = ..., mute: _Optional[_Union[SyncAction.Mute, _Mapping]] = ..., pin: _Optional[_Union[SyncAction.Pin, _Mapping]] = ..., push_name: _Optional[_Union[SyncAction.PushName, _Mapping]] = ..., archive: _Optional[_Union[SyncAction.Archive, _Mapping]] = ..., read: _Optional[_Union[SyncAction.Read, _Mapping]] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    index: bytes
    value: SyncAction.Value
    padding: bytes
    version: int
    def __init__(self, index: _Optional[bytes] = ..., value: _Optional[_Union[SyncAction.Value, _Mapping]] = ..., padding: _Optional[bytes] = ..., version: _Optional[int] = ...) -> None: ...
