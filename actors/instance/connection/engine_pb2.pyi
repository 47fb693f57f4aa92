from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MediaKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEDIA_UNKNOWN: _ClassVar[MediaKind]
    IMAGE: _ClassVar[MediaKind]
    VIDEO: _ClassVar[MediaKind]
    AUDIO: _ClassVar[MediaKind]
    DOCUMENT: _ClassVar[MediaKind]
    STICKER: _ClassVar[MediaKind]
    LINK_THUMBNAIL: _ClassVar[MediaKind]
MEDIA_UNKNOWN: MediaKind
IMAGE: MediaKind
VIDEO: MediaKind
AUDIO: MediaKind
DOCUMENT: MediaKind
STICKER: MediaKind
LINK_THUMBNAIL: MediaKind

class ToEngine(_message.Message):
    __slots__ = ("id", "open", "connect", "disconnect", "pair_phone", "logout", "send", "mark_read", "chat_presence", "check_numbers", "get_picture", "stats", "answer", "presence", "get_privacy", "ping", "upload", "fetch_media", "vote", "create_group", "get_group", "get_groups", "change_group", "change_participants", "get_join_requests", "get_invite", "inspect_invite", "join_group", "leave_group", "get_people", "get_blocklist", "block", "set_privacy", "set_about", "set_picture", "reject_call", "set_disappearing", "set_name", "read_history", "finish_history", "ask_history", "set_chat", "get_newsletter", "get_newsletters", "create_newsletter", "change_newsletter", "get_newsletter_posts", "change_newsletter_post")
    ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    PAIR_PHONE_FIELD_NUMBER: _ClassVar[int]
    LOGOUT_FIELD_NUMBER: _ClassVar[int]
    SEND_FIELD_NUMBER: _ClassVar[int]
    MARK_READ_FIELD_NUMBER: _ClassVar[int]
    CHAT_PRESENCE_FIELD_NUMBER: _ClassVar[int]
    CHECK_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    GET_PICTURE_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    GET_PRIVACY_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    FETCH_MEDIA_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    CREATE_GROUP_FIELD_NUMBER: _ClassVar[int]
    GET_GROUP_FIELD_NUMBER: _ClassVar[int]
    GET_GROUPS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_GROUP_FIELD_NUMBER: _ClassVar[int]
    CHANGE_PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    GET_JOIN_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    GET_INVITE_FIELD_NUMBER: _ClassVar[int]
    INSPECT_INVITE_FIELD_NUMBER: _ClassVar[int]
    JOIN_GROUP_FIELD_NUMBER: _ClassVar[int]
    LEAVE_GROUP_FIELD_NUMBER: _ClassVar[int]
    GET_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    GET_BLOCKLIST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    SET_PRIVACY_FIELD_NUMBER: _ClassVar[int]
    SET_ABOUT_FIELD_NUMBER: _ClassVar[int]
    SET_PICTURE_FIELD_NUMBER: _ClassVar[int]
    REJECT_CALL_FIELD_NUMBER: _ClassVar[int]
    SET_DISAPPEARING_FIELD_NUMBER: _ClassVar[int]
    SET_NAME_FIELD_NUMBER: _ClassVar[int]
    READ_HISTORY_FIELD_NUMBER: _ClassVar[int]
    FINISH_HISTORY_FIELD_NUMBER: _ClassVar[int]
    ASK_HISTORY_FIELD_NUMBER: _ClassVar[int]
    SET_CHAT_FIELD_NUMBER: _ClassVar[int]
    GET_NEWSLETTER_FIELD_NUMBER: _ClassVar[int]
    GET_NEWSLETTERS_FIELD_NUMBER: _ClassVar[int]
    CREATE_NEWSLETTER_FIELD_NUMBER: _ClassVar[int]
    CHANGE_NEWSLETTER_FIELD_NUMBER: _ClassVar[int]
    GET_NEWSLETTER_POSTS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_NEWSLETTER_POST_FIELD_NUMBER: _ClassVar[int]
    id: int
    open: Open
    connect: Connect
    disconnect: Disconnect
    pair_phone: PairPhone
    logout: Logout
    send: Send
    mark_read: MarkRead
    chat_presence: ChatPresence
    check_numbers: CheckNumbers
    get_picture: GetPicture
    stats: Stats
    answer: Answer
    presence: Presence
    get_privacy: GetPrivacy
    ping: Ping
    upload: Upload
    fetch_media: FetchMedia
    vote: Vote
    create_group: CreateGroup
    get_group: GetGroup
    get_groups: GetGroups
    change_group: ChangeGroup
    change_participants: ChangeParticipants
    get_join_requests: GetJoinRequests
    get_invite: GetInvite
    inspect_invite: InspectInvite
    join_group: JoinGroup
    leave_group: LeaveGroup
    get_people: GetPeople
    get_blocklist: GetBlocklist
    block: Block
    set_privacy: SetPrivacy
    set_about: SetAbout
    set_picture: SetPicture
    reject_call: RejectCall
    set_disappearing: SetDisappearing
    set_name: SetName
    read_history: ReadHistory
    finish_history: FinishHistory
    ask_history: AskHistory
    set_chat: SetChat
    get_newsletter: GetNewsletter
    get_newsletters: GetNewsletters
    create_newsletter: CreateNewsletter
    change_newsletter: ChangeNewsletter
    get_newsletter_posts: GetNewsletterPosts
    change_newsletter_post: ChangeNewsletterPost
    def __init__(self, id: _Optional[int] = ..., open: _Optional[_Union[Open, _Mapping]] = ..., connect: _Optional[_Union[Connect, _Mapping]] = ..., disconnect: _Optional[_Union[Disconnect, _Mapping]] = ..., pair_phone: _Optional[_Union[PairPhone, _Mapping]] = ..., logout: _Optional[_Union[Logout, _Mapping]] = ..., send: _Optional[_Union[Send, _Mapping]] = ..., mark_read: _Optional[_Union[MarkRead, _Mapping]] = ..., chat_presence: _Optional[_Union[ChatPresence, _Mapping]] = ..., check_numbers: _Optional[_Union[CheckNumbers, _Mapping]] = ..., get_picture: _Optional[_Union[GetPicture, _Mapping]] = ..., stats: _Optional[_Union[Stats, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ..., get_privacy: _Optional[_Union[GetPrivacy, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., upload: _Optional[_Union[Upload, _Mapping]] = ..., fetch_media: _Optional[_Union[FetchMedia, _Mapping]] = ..., vote: _Optional[_Union[Vote, _Mapping]] = ..., create_group: _Optional[_Union[CreateGroup, _Mapping]] = ..., get_group: _Optional[_Union[GetGroup, _Mapping]] = ..., get_groups: _Optional[_Union[GetGroups, _Mapping]] = ..., change_group: _Optional[_Union[ChangeGroup, _Mapping]] = ..., change_participants: _Optional[_Union[ChangeParticipants, _Mapping]] = ..., get_join_requests: _Optional[_Union[GetJoinRequests, _Mapping]] = ..., get_invite: _Optional[_Union[GetInvite, _Mapping]] = ..., inspect_invite: _Optional[_Union[InspectInvite, _Mapping]] = ..., join_group: _Optional[_Union[JoinGroup, _Mapping]] = ..., leave_group: _Optional[_Union[LeaveGroup, _Mapping]] = ..., get_people: _Optional[_Union[GetPeople, _Mapping]] = ..., get_blocklist: _Optional[_Union[GetBlocklist, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ..., set_privacy: _Optional[_Union[SetPrivacy, _Mapping]] = ..., set_about: _Optional[_Union[SetAbout, _Mapping]] = ..., set_picture: _Optional[_Union[SetPicture, _Mapping]] = ..., reject_call: _Optional[_Union[RejectCall, _Mapping]] = ..., set_disappearing: _Optional[_Union[SetDisappearing, _Mapping]] = ..., set_name: _Optional[_Union[SetName, _Mapping]] = ..., read_history: _Optional[_Union[ReadHistory, _Mapping]] = ..., finish_history: _Optional[_Union[FinishHistory, _Mapping]] = ..., ask_history: _Optional[_Union[AskHistory, _Mapping]] = ..., set_chat: _Optional[_Union[SetChat, _Mapping]] = ..., get_newsletter: _Optional[_Union[GetNewsletter, _Mapping]] = ..., get_newsletters: _Optional[_Union[GetNewsletters, _Mapping]] = ..., create_newsletter: _Optional[_Union[CreateNewsletter, _Mapping]] = ..., change_newsletter: _Optional[_Union[ChangeNewsletter, _Mapping]] = ..., get_newsletter_posts: _Optional[_Union[GetNewsletterPosts, _Mapping]] = ..., change_newsletter_post: _Optional[_Union[ChangeNewsletterPost, _Mapping]] = ...) -> None: ...

class FromEngine(_message.Message):
    __slots__ = ("hello", "reply", "event")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    reply: Reply
    event: Event
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ..., event: _Optional[_Union[Event, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "engine_version", "whatsmeow_version", "lab", "pid")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    WHATSMEOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAB_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    engine_version: str
    whatsmeow_version: str
    lab: bool
    pid: int
    def __init__(self, protocol: _Optional[int] = ..., engine_version: _Optional[str] = ..., whatsmeow_version: _Optional[str] = ..., lab: _Optional[bool] = ..., pid: _Optional[int] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("store", "device", "answer_timeout_ms", "proxy", "lock_wait_ms", "device_name", "lab", "session", "full_history")
    STORE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    PROXY_FIELD_NUMBER: _ClassVar[int]
    LOCK_WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    LAB_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    FULL_HISTORY_FIELD_NUMBER: _ClassVar[int]
    store: str
    device: str
    answer_timeout_ms: int
    proxy: str
    lock_wait_ms: int
    device_name: str
    lab: Lab
    session: str
    full_history: bool
    def __init__(self, store: _Optional[str] = ..., device: _Optional[str] = ..., answer_timeout_ms: _Optional[int] = ..., proxy: _Optional[str] = ..., lock_wait_ms: _Optional[int] = ..., device_name: _Optional[str] = ..., lab: _Optional[_Union[Lab, _Mapping]] = ..., session: _Optional[str] = ..., full_history: _Optional[bool] = ...) -> None: ...

class Lab(_message.Message):
    __slots__ = ("address", "tls_ca_pem", "noise_root_key")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TLS_CA_PEM_FIELD_NUMBER: _ClassVar[int]
    NOISE_ROOT_KEY_FIELD_NUMBER: _ClassVar[int]
    address: str
    tls_ca_pem: bytes
    noise_root_key: bytes
    def __init__(self, address: _Optional[str] = ..., tls_ca_pem: _Optional[bytes] = ..., noise_root_key: _Optional[bytes] = ...) -> None: ...

class Connect(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Disconnect(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PairPhone(_message.Message):
    __slots__ = ("phone",)
    PHONE_FIELD_NUMBER: _ClassVar[int]
    phone: str
    def __init__(self, phone: _Optional[str] = ...) -> None: ...

class PairPhoneResult(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class Logout(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Send(_message.Message):
    __slots__ = ("to", "message_id", "message", "media_handle", "timeout_ms")
    TO_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_HANDLE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    to: str
    message_id: str
    message: bytes
    media_handle: str
    timeout_ms: int
    def __init__(self, to: _Optional[str] = ..., message_id: _Optional[str] = ..., message: _Optional[bytes] = ..., media_handle: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class SendResult(_message.Message):
    __slots__ = ("timestamp_ms", "sender", "chat")
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    timestamp_ms: int
    sender: str
    chat: Identity
    def __init__(self, timestamp_ms: _Optional[int] = ..., sender: _Optional[str] = ..., chat: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class MarkRead(_message.Message):
    __slots__ = ("chat", "sender", "message_ids", "timestamp_ms", "played")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    PLAYED_FIELD_NUMBER: _ClassVar[int]
    chat: str
    sender: str
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    timestamp_ms: int
    played: bool
    def __init__(self, chat: _Optional[str] = ..., sender: _Optional[str] = ..., message_ids: _Optional[_Iterable[str]] = ..., timestamp_ms: _Optional[int] = ..., played: _Optional[bool] = ...) -> None: ...

class ChatPresence(_message.Message):
    __slots__ = ("chat", "state")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PAUSED: _ClassVar[ChatPresence.State]
        COMPOSING: _ClassVar[ChatPresence.State]
        RECORDING: _ClassVar[ChatPresence.State]
    PAUSED: ChatPresence.State
    COMPOSING: ChatPresence.State
    RECORDING: ChatPresence.State
    CHAT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    chat: str
    state: ChatPresence.State
    def __init__(self, chat: _Optional[str] = ..., state: _Optional[_Union[ChatPresence.State, str]] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("available", "subscribe")
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    available: bool
    subscribe: str
    def __init__(self, available: _Optional[bool] = ..., subscribe: _Optional[str] = ...) -> None: ...

class CheckNumbers(_message.Message):
    __slots__ = ("phones",)
    PHONES_FIELD_NUMBER: _ClassVar[int]
    phones: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, phones: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckNumbersResult(_message.Message):
    __slots__ = ("entries",)
    class Entry(_message.Message):
        __slots__ = ("query", "registered", "identity", "verified_name")
        QUERY_FIELD_NUMBER: _ClassVar[int]
        REGISTERED_FIELD_NUMBER: _ClassVar[int]
        IDENTITY_FIELD_NUMBER: _ClassVar[int]
        VERIFIED_NAME_FIELD_NUMBER: _ClassVar[int]
        query: str
        registered: bool
        identity: Identity
        verified_name: str
        def __init__(self, query: _Optional[str] = ..., registered: _Optional[bool] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ..., verified_name: _Optional[str] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[CheckNumbersResult.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[CheckNumbersResult.Entry, _Mapping]]] = ...) -> None: ...

class GetPicture(_message.Message):
    __slots__ = ("jid", "preview", "existing_id")
    JID_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    EXISTING_ID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    preview: bool
    existing_id: str
    def __init__(self, jid: _Optional[str] = ..., preview: _Optional[bool] = ..., existing_id: _Optional[str] = ...) -> None: ...

class GetPictureResult(_message.Message):
    __slots__ = ("id", "url", "type", "absence")
    class Absence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NONE: _ClassVar[GetPictureResult.Absence]
        NOT_SET: _ClassVar[GetPictureResult.Absence]
        HIDDEN: _ClassVar[GetPictureResult.Absence]
        UNCHANGED: _ClassVar[GetPictureResult.Absence]
    NONE: GetPictureResult.Absence
    NOT_SET: GetPictureResult.Absence
    HIDDEN: GetPictureResult.Absence
    UNCHANGED: GetPictureResult.Absence
    ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    url: str
    type: str
    absence: GetPictureResult.Absence
    def __init__(self, id: _Optional[str] = ..., url: _Optional[str] = ..., type: _Optional[str] = ..., absence: _Optional[_Union[GetPictureResult.Absence, str]] = ...) -> None: ...

class GetPrivacy(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPrivacyResult(_message.Message):
    __slots__ = ("settings",)
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.ScalarMap[str, str]
    def __init__(self, settings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReadHistory(_message.Message):
    __slots__ = ("notification", "start", "max_bytes", "max_part_bytes", "folder")
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PART_BYTES_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    notification: bytes
    start: int
    max_bytes: int
    max_part_bytes: int
    folder: str
    def __init__(self, notification: _Optional[bytes] = ..., start: _Optional[int] = ..., max_bytes: _Optional[int] = ..., max_part_bytes: _Optional[int] = ..., folder: _Optional[str] = ...) -> None: ...

class HistoryPage(_message.Message):
    __slots__ = ("sync", "chunk", "progress", "chats", "messages", "next", "done", "skipped")
    SYNC_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHATS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    sync: str
    chunk: int
    progress: int
    chats: _containers.RepeatedCompositeFieldContainer[HistoryChat]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    next: int
    done: bool
    skipped: int
    def __init__(self, sync: _Optional[str] = ..., chunk: _Optional[int] = ..., progress: _Optional[int] = ..., chats: _Optional[_Iterable[_Union[HistoryChat, _Mapping]]] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., next: _Optional[int] = ..., done: _Optional[bool] = ..., skipped: _Optional[int] = ...) -> None: ...

class HistoryChat(_message.Message):
    __slots__ = ("chat", "name", "unread", "archived", "pinned", "muted_until_ms", "last_message_ms", "complete")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    MUTED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_MESSAGE_MS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    chat: Identity
    name: str
    unread: int
    archived: bool
    pinned: bool
    muted_until_ms: int
    last_message_ms: int
    complete: bool
    def __init__(self, chat: _Optional[_Union[Identity, _Mapping]] = ..., name: _Optional[str] = ..., unread: _Optional[int] = ..., archived: _Optional[bool] = ..., pinned: _Optional[bool] = ..., muted_until_ms: _Optional[int] = ..., last_message_ms: _Optional[int] = ..., complete: _Optional[bool] = ...) -> None: ...

class FinishHistory(_message.Message):
    __slots__ = ("notification", "message_id")
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    notification: bytes
    message_id: str
    def __init__(self, notification: _Optional[bytes] = ..., message_id: _Optional[str] = ...) -> None: ...

class AskHistory(_message.Message):
    __slots__ = ("chat", "message_id", "from_me", "timestamp_ms", "count")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_ME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    chat: str
    message_id: str
    from_me: bool
    timestamp_ms: int
    count: int
    def __init__(self, chat: _Optional[str] = ..., message_id: _Optional[str] = ..., from_me: _Optional[bool] = ..., timestamp_ms: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("timeout_ms",)
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    timeout_ms: int
    def __init__(self, timeout_ms: _Optional[int] = ...) -> None: ...

class Upload(_message.Message):
    __slots__ = ("path", "kind", "plain")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PLAIN_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: MediaKind
    plain: bool
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[_Union[MediaKind, str]] = ..., plain: _Optional[bool] = ...) -> None: ...

class UploadResult(_message.Message):
    __slots__ = ("url", "direct_path", "media_key", "file_sha256", "file_enc_sha256", "file_length", "handle")
    URL_FIELD_NUMBER: _ClassVar[int]
    DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
    MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    url: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int
    handle: str
    def __init__(self, url: _Optional[str] = ..., direct_path: _Optional[str] = ..., media_key: _Optional[bytes] = ..., file_sha256: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., file_length: _Optional[int] = ..., handle: _Optional[str] = ...) -> None: ...

class FetchMedia(_message.Message):
    __slots__ = ("path", "direct_path", "media_key", "file_sha256", "file_enc_sha256", "kind", "max_bytes", "renewal")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DIRECT_PATH_FIELD_NUMBER: _ClassVar[int]
    MEDIA_KEY_FIELD_NUMBER: _ClassVar[int]
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILE_ENC_SHA256_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    path: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    kind: MediaKind
    max_bytes: int
    renewal: Renewal
    def __init__(self, path: _Optional[str] = ..., direct_path: _Optional[str] = ..., media_key: _Optional[bytes] = ..., file_sha256: _Optional[bytes] = ..., file_enc_sha256: _Optional[bytes] = ..., kind: _Optional[_Union[MediaKind, str]] = ..., max_bytes: _Optional[int] = ..., renewal: _Optional[_Union[Renewal, _Mapping]] = ...) -> None: ...

class Renewal(_message.Message):
    __slots__ = ("message_id", "chat", "sender", "from_me")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    FROM_ME_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    chat: str
    sender: str
    from_me: bool
    def __init__(self, message_id: _Optional[str] = ..., chat: _Optional[str] = ..., sender: _Optional[str] = ..., from_me: _Optional[bool] = ...) -> None: ...

class FetchMediaResult(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class Vote(_message.Message):
    __slots__ = ("chat", "sender", "poll_id", "options", "message_id", "timeout_ms")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    POLL_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    chat: str
    sender: str
    poll_id: str
    options: _containers.RepeatedScalarFieldContainer[str]
    message_id: str
    timeout_ms: int
    def __init__(self, chat: _Optional[str] = ..., sender: _Optional[str] = ..., poll_id: _Optional[str] = ..., options: _Optional[_Iterable[str]] = ..., message_id: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("jid", "name", "topic", "owner", "created_at_ms", "locked", "announce", "join_approval", "members_add", "disappearing_s", "parent", "community", "participants", "size")
    JID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCE_FIELD_NUMBER: _ClassVar[int]
    JOIN_APPROVAL_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_ADD_FIELD_NUMBER: _ClassVar[int]
    DISAPPEARING_S_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    jid: str
    name: str
    topic: str
    owner: Identity
    created_at_ms: int
    locked: bool
    announce: bool
    join_approval: bool
    members_add: bool
    disappearing_s: int
    parent: str
    community: bool
    participants: _containers.RepeatedCompositeFieldContainer[Participant]
    size: int
    def __init__(self, jid: _Optional[str] = ..., name: _Optional[str] = ..., topic: _Optional[str] = ..., owner: _Optional[_Union[Identity, _Mapping]] = ..., created_at_ms: _Optional[int] = ..., locked: _Optional[bool] = ..., announce: _Optional[bool] = ..., join_approval: _Optional[bool] = ..., members_add: _Optional[bool] = ..., disappearing_s: _Optional[int] = ..., parent: _Optional[str] = ..., community: _Optional[bool] = ..., participants: _Optional[_Iterable[_Union[Participant, _Mapping]]] = ..., size: _Optional[int] = ...) -> None: ...

class Participant(_message.Message):
    __slots__ = ("identity", "admin", "owner", "error")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    identity: Identity
    admin: bool
    owner: bool
    error: int
    def __init__(self, identity: _Optional[_Union[Identity, _Mapping]] = ..., admin: _Optional[bool] = ..., owner: _Optional[bool] = ..., error: _Optional[int] = ...) -> None: ...

class Groups(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    def __init__(self, groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ...) -> None: ...

class CreateGroup(_message.Message):
    __slots__ = ("name", "participants")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    participants: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., participants: _Optional[_Iterable[str]] = ...) -> None: ...

class GetGroup(_message.Message):
    __slots__ = ("jid",)
    JID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    def __init__(self, jid: _Optional[str] = ...) -> None: ...

class GetGroups(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChangeGroup(_message.Message):
    __slots__ = ("jid", "name", "topic", "picture", "locked", "announce", "join_approval", "members_add")
    JID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCE_FIELD_NUMBER: _ClassVar[int]
    JOIN_APPROVAL_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_ADD_FIELD_NUMBER: _ClassVar[int]
    jid: str
    name: str
    topic: str
    picture: bytes
    locked: bool
    announce: bool
    join_approval: bool
    members_add: bool
    def __init__(self, jid: _Optional[str] = ..., name: _Optional[str] = ..., topic: _Optional[str] = ..., picture: _Optional[bytes] = ..., locked: _Optional[bool] = ..., announce: _Optional[bool] = ..., join_approval: _Optional[bool] = ..., members_add: _Optional[bool] = ...) -> None: ...

class ChangeParticipants(_message.Message):
    __slots__ = ("jid", "action", "participants")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[ChangeParticipants.Action]
        ADD: _ClassVar[ChangeParticipants.Action]
        REMOVE: _ClassVar[ChangeParticipants.Action]
        PROMOTE: _ClassVar[ChangeParticipants.Action]
        DEMOTE: _ClassVar[ChangeParticipants.Action]
        APPROVE: _ClassVar[ChangeParticipants.Action]
        REJECT: _ClassVar[ChangeParticipants.Action]
    UNKNOWN: ChangeParticipants.Action
    ADD: ChangeParticipants.Action
    REMOVE: ChangeParticipants.Action
    PROMOTE: ChangeParticipants.Action
    DEMOTE: ChangeParticipants.Action
    APPROVE: ChangeParticipants.Action
    REJECT: ChangeParticipants.Action
    JID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    jid: str
    action: ChangeParticipants.Action
    participants: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, jid: _Optional[str] = ..., action: _Optional[_Union[ChangeParticipants.Action, str]] = ..., participants: _Optional[_Iterable[str]] = ...) -> None: ...

class Participants(_message.Message):
    __slots__ = ("participants",)
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    participants: _containers.RepeatedCompositeFieldContainer[Participant]
    def __init__(self, participants: _Optional[_Iterable[_Union[Participant, _Mapping]]] = ...) -> None: ...

class GetJoinRequests(_message.Message):
    __slots__ = ("jid",)
    JID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    def __init__(self, jid: _Optional[str] = ...) -> None: ...

class JoinRequests(_message.Message):
    __slots__ = ("entries",)
    class Entry(_message.Message):
        __slots__ = ("identity", "requested_at_ms")
        IDENTITY_FIELD_NUMBER: _ClassVar[int]
        REQUESTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
        identity: Identity
        requested_at_ms: int
        def __init__(self, identity: _Optional[_Union[Identity, _Mapping]] = ..., requested_at_ms: _Optional[int] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[JoinRequests.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[JoinRequests.Entry, _Mapping]]] = ...) -> None: ...

class GetInvite(_message.Message):
    __slots__ = ("jid", "reset")
    JID_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    jid: str
    reset: bool
    def __init__(self, jid: _Optional[str] = ..., reset: _Optional[bool] = ...) -> None: ...

class InviteResult(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: str
    def __init__(self, link: _Optional[str] = ...) -> None: ...

class InspectInvite(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: str
    def __init__(self, link: _Optional[str] = ...) -> None: ...

class JoinGroup(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: str
    def __init__(self, link: _Optional[str] = ...) -> None: ...

class JoinGroupResult(_message.Message):
    __slots__ = ("jid",)
    JID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    def __init__(self, jid: _Optional[str] = ...) -> None: ...

class LeaveGroup(_message.Message):
    __slots__ = ("jid",)
    JID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    def __init__(self, jid: _Optional[str] = ...) -> None: ...

class GetPeople(_message.Message):
    __slots__ = ("jids",)
    JIDS_FIELD_NUMBER: _ClassVar[int]
    jids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, jids: _Optional[_Iterable[str]] = ...) -> None: ...

class People(_message.Message):
    __slots__ = ("entries",)
    class Entry(_message.Message):
        __slots__ = ("identity", "about", "picture_id", "verified_name", "devices")
        IDENTITY_FIELD_NUMBER: _ClassVar[int]
        ABOUT_FIELD_NUMBER: _ClassVar[int]
        PICTURE_ID_FIELD_NUMBER: _ClassVar[int]
        VERIFIED_NAME_FIELD_NUMBER: _ClassVar[int]
        DEVICES_FIELD_NUMBER: _ClassVar[int]
        identity: Identity
        about: str
        picture_id: str
        verified_name: str
        devices: int
        def __init__(self, identity: _Optional[_Union[Identity, _Mapping]] = ..., about: _Optional[str] = ..., picture_id: _Optional[str] = ..., verified_name: _Optional[str] = ..., devices: _Optional[int] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[People.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[People.Entry, _Mapping]]] = ...) -> None: ...

class GetBlocklist(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Block(_message.Message):
    __slots__ = ("jid", "blocked")
    JID_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    jid: str
    blocked: bool
    def __init__(self, jid: _Optional[str] = ..., blocked: _Optional[bool] = ...) -> None: ...

class Blocklist(_message.Message):
    __slots__ = ("people",)
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    people: _containers.RepeatedCompositeFieldContainer[Identity]
    def __init__(self, people: _Optional[_Iterable[_Union[Identity, _Mapping]]] = ...) -> None: ...

class SetPrivacy(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class SetAbout(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class SetName(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SetPicture(_message.Message):
    __slots__ = ("jpeg",)
    JPEG_FIELD_NUMBER: _ClassVar[int]
    jpeg: bytes
    def __init__(self, jpeg: _Optional[bytes] = ...) -> None: ...

class SetPictureResult(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RejectCall(_message.Message):
    __slots__ = ("call_id",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    def __init__(self, call_id: _Optional[str] = ..., **kwargs) -> None: ...

class SetDisappearing(_message.Message):
    __slots__ = ("chat", "seconds")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    chat: str
    seconds: int
    def __init__(self, chat: _Optional[str] = ..., seconds: _Optional[int] = ...) -> None: ...

class SetChat(_message.Message):
    __slots__ = ("chat", "archived", "pinned", "muted_until_ms", "read", "star", "last_at_ms", "last_id", "last_from_me", "last_sender")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    MUTED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    STAR_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FROM_ME_FIELD_NUMBER: _ClassVar[int]
    LAST_SENDER_FIELD_NUMBER: _ClassVar[int]
    chat: str
    archived: bool
    pinned: bool
    muted_until_ms: int
    read: bool
    star: Star
    last_at_ms: int
    last_id: str
    last_from_me: bool
    last_sender: str
    def __init__(self, chat: _Optional[str] = ..., archived: _Optional[bool] = ..., pinned: _Optional[bool] = ..., muted_until_ms: _Optional[int] = ..., read: _Optional[bool] = ..., star: _Optional[_Union[Star, _Mapping]] = ..., last_at_ms: _Optional[int] = ..., last_id: _Optional[str] = ..., last_from_me: _Optional[bool] = ..., last_sender: _Optional[str] = ...) -> None: ...

class Newsletter(_message.Message):
    __slots__ = ("jid", "name", "description", "invite", "followers", "created_at_ms", "verified", "role", "muted", "state")
    JID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    jid: str
    name: str
    description: str
    invite: str
    followers: int
    created_at_ms: int
    verified: bool
    role: str
    muted: bool
    state: str
    def __init__(self, jid: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., invite: _Optional[str] = ..., followers: _Optional[int] = ..., created_at_ms: _Optional[int] = ..., verified: _Optional[bool] = ..., role: _Optional[str] = ..., muted: _Optional[bool] = ..., state: _Optional[str] = ...) -> None: ...

class Newsletters(_message.Message):
    __slots__ = ("newsletters",)
    NEWSLETTERS_FIELD_NUMBER: _ClassVar[int]
    newsletters: _containers.RepeatedCompositeFieldContainer[Newsletter]
    def __init__(self, newsletters: _Optional[_Iterable[_Union[Newsletter, _Mapping]]] = ...) -> None: ...

class GetNewsletter(_message.Message):
    __slots__ = ("jid", "invite")
    JID_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    jid: str
    invite: str
    def __init__(self, jid: _Optional[str] = ..., invite: _Optional[str] = ...) -> None: ...

class GetNewsletters(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreateNewsletter(_message.Message):
    __slots__ = ("name", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class ChangeNewsletter(_message.Message):
    __slots__ = ("jid", "followed", "muted")
    JID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    jid: str
    followed: bool
    muted: bool
    def __init__(self, jid: _Optional[str] = ..., followed: _Optional[bool] = ..., muted: _Optional[bool] = ...) -> None: ...

class NewsletterPost(_message.Message):
    __slots__ = ("server_id", "id", "timestamp_ms", "views", "reactions", "message")
    class ReactionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    REACTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    server_id: int
    id: str
    timestamp_ms: int
    views: int
    reactions: _containers.ScalarMap[str, int]
    message: bytes
    def __init__(self, server_id: _Optional[int] = ..., id: _Optional[str] = ..., timestamp_ms: _Optional[int] = ..., views: _Optional[int] = ..., reactions: _Optional[_Mapping[str, int]] = ..., message: _Optional[bytes] = ...) -> None: ...

class NewsletterPosts(_message.Message):
    __slots__ = ("posts",)
    POSTS_FIELD_NUMBER: _ClassVar[int]
    posts: _containers.RepeatedCompositeFieldContainer[NewsletterPost]
    def __init__(self, posts: _Optional[_Iterable[_Union[NewsletterPost, _Mapping]]] = ...) -> None: ...

class GetNewsletterPosts(_message.Message):
    __slots__ = ("jid", "count", "before")
    JID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    jid: str
    count: int
    before: int
    def __init__(self, jid: _Optional[str] = ..., count: _Optional[int] = ..., before: _Optional[int] = ...) -> None: ...

class ChangeNewsletterPost(_message.Message):
    __slots__ = ("jid", "server_id", "reaction", "viewed")
    JID_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    REACTION_FIELD_NUMBER: _ClassVar[int]
    VIEWED_FIELD_NUMBER: _ClassVar[int]
    jid: str
    server_id: int
    reaction: str
    viewed: bool
    def __init__(self, jid: _Optional[str] = ..., server_id: _Optional[int] = ..., reaction: _Optional[str] = ..., viewed: _Optional[bool] = ...) -> None: ...

class Star(_message.Message):
    __slots__ = ("message_id", "sender", "from_me", "starred")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    FROM_ME_FIELD_NUMBER: _ClassVar[int]
    STARRED_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    sender: str
    from_me: bool
    starred: bool
    def __init__(self, message_id: _Optional[str] = ..., sender: _Optional[str] = ..., from_me: _Optional[bool] = ..., starred: _Optional[bool] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatsResult(_message.Message):
    __slots__ = ("events_sent", "events_stored", "events_refused", "answers_late", "goroutines", "heap_bytes", "rss_bytes", "waiting_answers", "gate_waits")
    EVENTS_SENT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_STORED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_LATE_FIELD_NUMBER: _ClassVar[int]
    GOROUTINES_FIELD_NUMBER: _ClassVar[int]
    HEAP_BYTES_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    WAITING_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    GATE_WAITS_FIELD_NUMBER: _ClassVar[int]
    events_sent: int
    events_stored: int
    events_refused: int
    answers_late: int
    goroutines: int
    heap_bytes: int
    rss_bytes: int
    waiting_answers: int
    gate_waits: int
    def __init__(self, events_sent: _Optional[int] = ..., events_stored: _Optional[int] = ..., events_refused: _Optional[int] = ..., answers_late: _Optional[int] = ..., goroutines: _Optional[int] = ..., heap_bytes: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., waiting_answers: _Optional[int] = ..., gate_waits: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("event_id", "stored", "reason")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    stored: bool
    reason: str
    def __init__(self, event_id: _Optional[int] = ..., stored: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("id", "error", "open", "pair_phone", "send", "check_numbers", "picture", "stats", "privacy", "upload", "fetch_media", "group", "groups", "participants", "join_requests", "invite", "join_group", "people", "blocklist", "set_picture", "history", "newsletter", "newsletters", "newsletter_posts")
    ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    PAIR_PHONE_FIELD_NUMBER: _ClassVar[int]
    SEND_FIELD_NUMBER: _ClassVar[int]
    CHECK_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    PRIVACY_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    FETCH_MEDIA_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    JOIN_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    JOIN_GROUP_FIELD_NUMBER: _ClassVar[int]
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    BLOCKLIST_FIELD_NUMBER: _ClassVar[int]
    SET_PICTURE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    NEWSLETTER_FIELD_NUMBER: _ClassVar[int]
    NEWSLETTERS_FIELD_NUMBER: _ClassVar[int]
    NEWSLETTER_POSTS_FIELD_NUMBER: _ClassVar[int]
    id: int
    error: Error
    open: OpenResult
    pair_phone: PairPhoneResult
    send: SendResult
    check_numbers: CheckNumbersResult
    picture: GetPictureResult
    stats: StatsResult
    privacy: GetPrivacyResult
    upload: UploadResult
    fetch_media: FetchMediaResult
    group: Group
    groups: Groups
    participants: Participants
    join_requests: JoinRequests
    invite: InviteResult
    join_group: JoinGroupResult
    people: People
    blocklist: Blocklist
    set_picture: SetPictureResult
    history: HistoryPage
    newsletter: Newsletter
    newsletters: Newsletters
    newsletter_posts: NewsletterPosts
    def __init__(self, id: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., open: _Optional[_Union[OpenResult, _Mapping]] = ..., pair_phone: _Optional[_Union[PairPhoneResult, _Mapping]] = ..., send: _Optional[_Union[SendResult, _Mapping]] = ..., check_numbers: _Optional[_Union[CheckNumbersResult, _Mapping]] = ..., picture: _Optional[_Union[GetPictureResult, _Mapping]] = ..., stats: _Optional[_Union[StatsResult, _Mapping]] = ..., privacy: _Optional[_Union[GetPrivacyResult, _Mapping]] = ..., upload: _Optional[_Union[UploadResult, _Mapping]] = ..., fetch_media: _Optional[_Union[FetchMediaResult, _Mapping]] = ..., group: _Optional[_Union[Group, _Mapping]] = ..., groups: _Optional[_Union[Groups, _Mapping]] = ..., participants: _Optional[_Union[Participants, _Mapping]] = ..., join_requests: _Optional[_Union[JoinRequests, _Mapping]] = ..., invite: _Optional[_Union[InviteResult, _Mapping]] = ..., join_group: _Optional[_Union[JoinGroupResult, _Mapping]] = ..., people: _Optional[_Union[People, _Mapping]] = ..., blocklist: _Optional[_Union[Blocklist, _Mapping]] = ..., set_picture: _Optional[_Union[SetPictureResult, _Mapping]] = ..., history: _Optional[_Union[HistoryPage, _Mapping]] = ..., newsletter: _Optional[_Union[Newsletter, _Mapping]] = ..., newsletters: _Optional[_Union[Newsletters, _Mapping]] = ..., newsletter_posts: _Optional[_Union[NewsletterPosts, _Mapping]] = ...) -> None: ...

class OpenResult(_message.Message):
    __slots__ = ("device", "lid", "push_name")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LID_FIELD_NUMBER: _ClassVar[int]
    PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
    device: str
    lid: str
    push_name: str
    def __init__(self, device: _Optional[str] = ..., lid: _Optional[str] = ..., push_name: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "server_code")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SERVER_CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    server_code: int
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., server_code: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("event_id", "received_at_ms", "message", "receipt", "undecryptable", "other", "qr", "paired", "pair_failed", "connected", "disconnected", "replaced", "logged_out", "connect_failure", "parked", "keep_alive", "offline_done", "chat_presence", "presence", "offline_preview", "store_lost")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    UNDECRYPTABLE_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    QR_FIELD_NUMBER: _ClassVar[int]
    PAIRED_FIELD_NUMBER: _ClassVar[int]
    PAIR_FAILED_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    LOGGED_OUT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FAILURE_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    KEEP_ALIVE_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_DONE_FIELD_NUMBER: _ClassVar[int]
    CHAT_PRESENCE_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_PREVIEW_FIELD_NUMBER: _ClassVar[int]
    STORE_LOST_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    received_at_ms: int
    message: Message
    receipt: Receipt
    undecryptable: Undecryptable
    other: Other
    qr: Qr
    paired: Paired
    pair_failed: PairFailed
    connected: Connected
    disconnected: Disconnected
    replaced: Replaced
    logged_out: LoggedOut
    connect_failure: ConnectFailure
    parked: Parked
    keep_alive: KeepAlive
    offline_done: OfflineDone
    chat_presence: ChatPresenceEvent
    presence: PresenceEvent
    offline_preview: OfflinePreview
    store_lost: StoreLost
    def __init__(self, event_id: _Optional[int] = ..., received_at_ms: _Optional[int] = ..., message: _Optional[_Union[Message, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., undecryptable: _Optional[_Union[Undecryptable, _Mapping]] = ..., other: _Optional[_Union[Other, _Mapping]] = ..., qr: _Optional[_Union[Qr, _Mapping]] = ..., paired: _Optional[_Union[Paired, _Mapping]] = ..., pair_failed: _Optional[_Union[PairFailed, _Mapping]] = ..., connected: _Optional[_Union[Connected, _Mapping]] = ..., disconnected: _Optional[_Union[Disconnected, _Mapping]] = ..., replaced: _Optional[_Union[Replaced, _Mapping]] = ..., logged_out: _Optional[_Union[LoggedOut, _Mapping]] = ..., connect_failure: _Optional[_Union[ConnectFailure, _Mapping]] = ..., parked: _Optional[_Union[Parked, _Mapping]] = ..., keep_alive: _Optional[_Union[KeepAlive, _Mapping]] = ..., offline_done: _Optional[_Union[OfflineDone, _Mapping]] = ..., chat_presence: _Optional[_Union[ChatPresenceEvent, _Mapping]] = ..., presence: _Optional[_Union[PresenceEvent, _Mapping]] = ..., offline_preview: _Optional[_Union[OfflinePreview, _Mapping]] = ..., store_lost: _Optional[_Union[StoreLost, _Mapping]] = ...) -> None: ...

class Identity(_message.Message):
    __slots__ = ("jid", "phone", "lid")
    JID_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LID_FIELD_NUMBER: _ClassVar[int]
    jid: str
    phone: str
    lid: str
    def __init__(self, jid: _Optional[str] = ..., phone: _Optional[str] = ..., lid: _Optional[str] = ...) -> None: ...

class MessageInfo(_message.Message):
    __slots__ = ("id", "chat", "sender", "from_me", "group", "timestamp_ms", "push_name", "type", "sender_device", "offline", "category", "edit")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    FROM_ME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SENDER_DEVICE_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    chat: Identity
    sender: Identity
    from_me: bool
    group: bool
    timestamp_ms: int
    push_name: str
    type: str
    sender_device: int
    offline: bool
    category: str
    edit: str
    def __init__(self, id: _Optional[str] = ..., chat: _Optional[_Union[Identity, _Mapping]] = ..., sender: _Optional[_Union[Identity, _Mapping]] = ..., from_me: _Optional[bool] = ..., group: _Optional[bool] = ..., timestamp_ms: _Optional[int] = ..., push_name: _Optional[str] = ..., type: _Optional[str] = ..., sender_device: _Optional[int] = ..., offline: _Optional[bool] = ..., category: _Optional[str] = ..., edit: _Optional[str] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("info", "message", "raw", "ephemeral", "view_once", "edit", "retry_count", "unavailable_request_id", "text", "kind", "quoted_id", "quoted_sender", "history", "protocol_type", "target_id", "secret", "vote", "vote_options", "undecrypted")
    INFO_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    VIEW_ONCE_FIELD_NUMBER: _ClassVar[int]
    EDIT_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUOTED_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTED_SENDER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_TYPE_FIELD_NUMBER: _ClassVar[int]
    TARGET_ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    VOTE_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    UNDECRYPTED_FIELD_NUMBER: _ClassVar[int]
    info: MessageInfo
    message: bytes
    raw: bytes
    ephemeral: bool
    view_once: bool
    edit: bool
    retry_count: int
    unavailable_request_id: str
    text: str
    kind: str
    quoted_id: str
    quoted_sender: Identity
    history: bytes
    protocol_type: str
    target_id: str
    secret: bool
    vote: bool
    vote_options: _containers.RepeatedScalarFieldContainer[bytes]
    undecrypted: bool
    def __init__(self, info: _Optional[_Union[MessageInfo, _Mapping]] = ..., message: _Optional[bytes] = ..., raw: _Optional[bytes] = ..., ephemeral: _Optional[bool] = ..., view_once: _Optional[bool] = ..., edit: _Optional[bool] = ..., retry_count: _Optional[int] = ..., unavailable_request_id: _Optional[str] = ..., text: _Optional[str] = ..., kind: _Optional[str] = ..., quoted_id: _Optional[str] = ..., quoted_sender: _Optional[_Union[Identity, _Mapping]] = ..., history: _Optional[bytes] = ..., protocol_type: _Optional[str] = ..., target_id: _Optional[str] = ..., secret: _Optional[bool] = ..., vote: _Optional[bool] = ..., vote_options: _Optional[_Iterable[bytes]] = ..., undecrypted: _Optional[bool] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("message_ids", "chat", "sender", "from_me", "group", "timestamp_ms", "type")
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    FROM_ME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    chat: Identity
    sender: Identity
    from_me: bool
    group: bool
    timestamp_ms: int
    type: str
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ..., chat: _Optional[_Union[Identity, _Mapping]] = ..., sender: _Optional[_Union[Identity, _Mapping]] = ..., from_me: _Optional[bool] = ..., group: _Optional[bool] = ..., timestamp_ms: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...

class Undecryptable(_message.Message):
    __slots__ = ("info", "unavailable", "unavailable_type", "fail_mode")
    INFO_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FAIL_MODE_FIELD_NUMBER: _ClassVar[int]
    info: MessageInfo
    unavailable: bool
    unavailable_type: str
    fail_mode: str
    def __init__(self, info: _Optional[_Union[MessageInfo, _Mapping]] = ..., unavailable: _Optional[bool] = ..., unavailable_type: _Optional[str] = ..., fail_mode: _Optional[str] = ...) -> None: ...

class Other(_message.Message):
    __slots__ = ("kind", "json", "chat", "sender", "timestamp_ms", "key")
    KIND_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    json: bytes
    chat: Identity
    sender: Identity
    timestamp_ms: int
    key: str
    def __init__(self, kind: _Optional[str] = ..., json: _Optional[bytes] = ..., chat: _Optional[_Union[Identity, _Mapping]] = ..., sender: _Optional[_Union[Identity, _Mapping]] = ..., timestamp_ms: _Optional[int] = ..., key: _Optional[str] = ...) -> None: ...

class Qr(_message.Message):
    __slots__ = ("code", "valid_ms", "left")
    CODE_FIELD_NUMBER: _ClassVar[int]
    VALID_MS_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    code: str
    valid_ms: int
    left: int
    def __init__(self, code: _Optional[str] = ..., valid_ms: _Optional[int] = ..., left: _Optional[int] = ...) -> None: ...

class Paired(_message.Message):
    __slots__ = ("device", "lid", "platform", "business_name")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LID_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_NAME_FIELD_NUMBER: _ClassVar[int]
    device: str
    lid: str
    platform: str
    business_name: str
    def __init__(self, device: _Optional[str] = ..., lid: _Optional[str] = ..., platform: _Optional[str] = ..., business_name: _Optional[str] = ...) -> None: ...

class PairFailed(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Connected(_message.Message):
    __slots__ = ("device", "lid", "push_name")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LID_FIELD_NUMBER: _ClassVar[int]
    PUSH_NAME_FIELD_NUMBER: _ClassVar[int]
    device: str
    lid: str
    push_name: str
    def __init__(self, device: _Optional[str] = ..., lid: _Optional[str] = ..., push_name: _Optional[str] = ...) -> None: ...

class Disconnected(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Replaced(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LoggedOut(_message.Message):
    __slots__ = ("server_code", "reason", "on_connect")
    SERVER_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ON_CONNECT_FIELD_NUMBER: _ClassVar[int]
    server_code: int
    reason: str
    on_connect: bool
    def __init__(self, server_code: _Optional[int] = ..., reason: _Optional[str] = ..., on_connect: _Optional[bool] = ...) -> None: ...

class ConnectFailure(_message.Message):
    __slots__ = ("server_code", "reason", "permanent", "retry_after_ms")
    SERVER_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    server_code: int
    reason: str
    permanent: bool
    retry_after_ms: int
    def __init__(self, server_code: _Optional[int] = ..., reason: _Optional[str] = ..., permanent: _Optional[bool] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class Parked(_message.Message):
    __slots__ = ("cause", "detail")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    cause: str
    detail: str
    def __init__(self, cause: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class KeepAlive(_message.Message):
    __slots__ = ("ok", "failures", "last_success_ms")
    OK_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    LAST_SUCCESS_MS_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    failures: int
    last_success_ms: int
    def __init__(self, ok: _Optional[bool] = ..., failures: _Optional[int] = ..., last_success_ms: _Optional[int] = ...) -> None: ...

class OfflinePreview(_message.Message):
    __slots__ = ("total", "messages", "receipts", "notifications")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    total: int
    messages: int
    receipts: int
    notifications: int
    def __init__(self, total: _Optional[int] = ..., messages: _Optional[int] = ..., receipts: _Optional[int] = ..., notifications: _Optional[int] = ...) -> None: ...

class OfflineDone(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class ChatPresenceEvent(_message.Message):
    __slots__ = ("chat", "sender", "state", "media")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    chat: Identity
    sender: Identity
    state: str
    media: str
    def __init__(self, chat: _Optional[_Union[Identity, _Mapping]] = ..., sender: _Optional[_Union[Identity, _Mapping]] = ..., state: _Optional[str] = ..., media: _Optional[str] = ...) -> None: ...

class PresenceEvent(_message.Message):
    __slots__ = ("sender", "available", "last_seen_ms")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    sender: Identity
    available: bool
    last_seen_ms: int
    def __init__(self, sender: _Optional[_Union[Identity, _Mapping]] = ..., available: _Optional[bool] = ..., last_seen_ms: _Optional[int] = ...) -> None: ...

class StoreLost(_message.Message):
    __slots__ = ("detail",)
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    detail: str
    def __init__(self, detail: _Optional[str] = ...) -> None: ...
