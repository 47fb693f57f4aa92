package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

// maxOtherSize bounds the JSON of an event of no kind of its own, in bytes.
const maxOtherSize = 1 << 20

// other passes on any event as JSON.
func (s *Session) other(ctx context.Context, event any) *pb.Other {
	value := reflect.Indirect(reflect.ValueOf(event))
	kind := snakeCase(value.Type().Name())
	body := encodeOther(event)
	other := &pb.Other{Kind: kind, Json: body}
	if value.Kind() != reflect.Struct {
		return other
	}
	chat := firstJID(value, "Chat", "ChatJID", "ChatID", "GroupJID", "JID", "From", "ID")
	chatAlt := firstJID(value, "JIDAlt")
	sender := firstJID(value, "Sender", "SenderJID", "SenderID", "Author", "CallCreator")
	senderAlt := firstJID(value, "SenderAlt", "SenderPN", "CallCreatorAlt")
	if chatAlt.IsEmpty() && chat.ToNonAD() == sender.ToNonAD() {
		chatAlt = senderAlt
	}
	s.learn(ctx, sender, senderAlt)
	other.Chat = s.identify(ctx, chat, chatAlt)
	other.Sender = s.identify(ctx, sender, senderAlt)
	if at, ok := fieldOf[time.Time](value, "Timestamp"); ok {
		other.TimestampMs = milliseconds(at)
	} else if at, ok := fieldOf[time.Time](value, "Time"); ok {
		other.TimestampMs = milliseconds(at)
	}
	if stanza := s.intake.NotificationID(chat); stanza != "" || other.TimestampMs != 0 {
		// Without both, the same change made twice could not be told from one reported twice. A time is in seconds:
		// what was changed there and back within one has only the stanza to tell it.
		digest := sha256.Sum256(append([]byte(kind+"\x00"+stanza+"\x00"), body...))
		other.Key = hex.EncodeToString(digest[:16])
	}
	return other
}

// learn keeps both identities of a person that WhatsApp sent along. whatsmeow does so for messages only.
func (s *Session) learn(ctx context.Context, lid, phone types.JID) {
	if lid.Server != types.HiddenUserServer || phone.Server != types.DefaultUserServer {
		return
	}
	if err := s.device.LIDs.PutLIDMapping(ctx, lid.ToNonAD(), phone.ToNonAD()); err != nil {
		s.log.Warnf("cannot keep that %s is %s: %v", lid, phone, err)
	}
}

// encodeOther never fails: an event that cannot be encoded, or is too large, is described instead.
func encodeOther(event any) []byte {
	body, err := json.Marshal(event)
	if err == nil && len(body) <= maxOtherSize {
		return body
	}
	problem := fmt.Sprintf("%d bytes are too many", len(body))
	if err != nil {
		problem = err.Error()
	}
	text := fmt.Sprintf("%+v", event)
	const shown = 64 << 10
	if len(text) > shown {
		text = text[:shown]
	}
	description, err := json.Marshal(map[string]string{"error": problem, "text": text})
	if err != nil {
		return []byte(`{}`)
	}
	return description
}

// firstJID returns the first of the named fields that holds a JID, or a pointer to one, that is not empty.
func firstJID(value reflect.Value, names ...string) types.JID {
	for _, name := range names {
		if jid, ok := fieldOf[types.JID](value, name); ok && !jid.IsEmpty() {
			return jid
		}
		if jid, ok := fieldOf[*types.JID](value, name); ok && jid != nil && !jid.IsEmpty() {
			return *jid
		}
	}
	return types.EmptyJID
}

func fieldOf[T any](value reflect.Value, name string) (T, bool) {
	var none T
	// FieldByName panics when it has to pass through an embedded pointer that is nil.
	field, err := safeField(value, name)
	if err != nil || !field.IsValid() || !field.CanInterface() {
		return none, false
	}
	found, ok := field.Interface().(T)
	return found, ok
}

func safeField(value reflect.Value, name string) (reflect.Value, error) {
	description, exists := value.Type().FieldByName(name)
	if !exists {
		return reflect.Value{}, nil
	}
	return value.FieldByIndexErr(description.Index)
}
