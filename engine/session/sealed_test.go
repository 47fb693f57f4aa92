package session

import (
	"context"
	"crypto/sha256"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"

	"malote.dev/engine/logs"
)

var (
	ana = types.NewJID("111", types.HiddenUserServer)
	bia = types.NewJID("222", types.HiddenUserServer)
)

// oneSecret is a store that knows the key of one message of Ana's.
type oneSecret struct{ waStore.MsgSecretStore }

const knownID = "KNOWN"

func (oneSecret) GetMessageSecret(_ context.Context, _, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	if sender != ana || id != knownID {
		return nil, types.EmptyJID, nil
	}
	return make([]byte, 32), ana, nil
}

func newReader() *Session {
	device := &waStore.Device{MsgSecrets: oneSecret{}, LIDs: noLIDs{}, LID: bia}
	return &Session{
		device: device, client: whatsmeow.NewClient(device, waLog.Noop), log: logs.NewSink(logs.Error).Logger("test"),
	}
}

// fromBia is a message that Bia wrote in her chat with Ana.
func fromBia(message *waE2E.Message) *events.Message {
	e := &events.Message{RawMessage: message, Message: message}
	e.Info.Chat, e.Info.Sender = bia, bia
	return e
}

func keyOf(id string) *waCommon.MessageKey {
	return &waCommon.MessageKey{RemoteJID: proto.String(ana.String()), ID: proto.String(id)}
}

// seal encrypts what Bia says of Ana's message.
func seal(t *testing.T, s *Session, use whatsmeow.MsgSecretType, content proto.Message) (payload, nonce []byte) {
	t.Helper()
	plain, err := proto.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 whatsmeow has no public way to seal an edit
	payload, nonce, err = s.client.DangerousInternals().EncryptMsgSecret(t.Context(), bia, bia, ana, knownID, use, plain)
	if err != nil {
		t.Fatal(err)
	}
	return payload, nonce
}

func TestAVoteIsDecrypted(t *testing.T) {
	s := newReader()
	yes := sha256.Sum256([]byte("yes"))
	payload, nonce := seal(t, s, whatsmeow.EncSecretPollVote, &waE2E.PollVoteMessage{SelectedOptions: [][]byte{yes[:]}})
	update := func(id string, payload, nonce []byte) *events.Message {
		return fromBia(&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
			PollCreationMessageKey: keyOf(id), Vote: &waE2E.PollEncValue{EncPayload: payload, EncIV: nonce},
		}})
	}
	opened := s.unseal(t.Context(), update(knownID, payload, nonce))
	if !opened.vote || opened.failed || opened.target != knownID || len(opened.options) != 1 || string(opened.options[0]) != string(yes[:]) {
		t.Errorf("%v", opened)
	}
	for name, sealed := range map[string]*events.Message{
		"of an unknown poll": update("OTHER", payload, nonce),
		"forged":             update(knownID, payload[1:], nonce),
		"with a bad nonce":   update(knownID, payload, nonce[1:]),
		"without a nonce":    update(knownID, payload, nil),
		"without a key":      fromBia(&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{Vote: &waE2E.PollEncValue{EncIV: nonce}}}),
		"empty":              fromBia(&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{}}),
	} {
		opened := s.unseal(t.Context(), sealed)
		if opened.vote || !opened.failed || opened.content != sealed.Message || len(opened.options) != 0 {
			t.Errorf("a vote %s: %v", name, opened)
		}
	}
}

func TestASealedReactionIsShownAsAReaction(t *testing.T) {
	s := newReader()
	payload, nonce := seal(t, s, whatsmeow.EncSecretReaction, &waE2E.ReactionMessage{Text: proto.String("👍")})
	sealed := &waE2E.EncReactionMessage{TargetMessageKey: keyOf(knownID), EncPayload: payload, EncIV: nonce}
	opened := s.unseal(t.Context(), fromBia(&waE2E.Message{EncReactionMessage: sealed}))
	if kindOf(opened.content) != "reactionMessage" || opened.content.GetReactionMessage().GetText() != "👍" ||
		targetOf(opened.content) != knownID || opened.target != knownID || opened.failed {
		t.Errorf("%v", opened)
	}
	sealed.TargetMessageKey = keyOf("OTHER")
	opened = s.unseal(t.Context(), fromBia(&waE2E.Message{EncReactionMessage: sealed}))
	if kindOf(opened.content) != "encReactionMessage" || opened.target != "OTHER" || !opened.failed {
		t.Errorf("%v", opened)
	}
}

func TestASealedEditIsShownAsAnEdit(t *testing.T) {
	s := newReader()
	body := &waE2E.Message{Conversation: proto.String("better")}
	wrapped := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: keyOf(knownID), Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: body,
	}}
	for _, plain := range []*waE2E.Message{wrapped, body} {
		payload, nonce := seal(t, s, whatsmeow.EncSecretMessageEdit, plain)
		opened := s.unseal(t.Context(), fromBia(&waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
			TargetMessageKey: keyOf(knownID), EncPayload: payload, EncIV: nonce,
			SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum(),
		}}))
		edit := opened.content.GetProtocolMessage()
		if edit.GetType() != waE2E.ProtocolMessage_MESSAGE_EDIT || edit.GetEditedMessage().GetConversation() != "better" ||
			opened.target != knownID || !opened.edit || opened.failed {
			t.Errorf("%v", opened)
		}
	}
}

func TestWhatIsNotSealedIsLeftAlone(t *testing.T) {
	message := &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: keyOf("T")}}
	opened := newReader().unseal(t.Context(), fromBia(message))
	if opened.content != message || opened.target != "T" || opened.failed || opened.vote {
		t.Errorf("%v", opened)
	}
}

func TestThePollOfAVote(t *testing.T) {
	s := newReader()
	poll, err := s.poll(t.Context(), ana, ana, knownID)
	if err != nil || poll.Sender != ana || poll.Chat != ana || poll.IsFromMe || poll.IsGroup {
		t.Errorf("%v, %v", poll, err)
	}
	group := types.NewJID("123-456", types.GroupServer)
	poll, err = s.poll(t.Context(), group, ana, knownID)
	if err != nil || poll.Chat != group || !poll.IsGroup {
		t.Errorf("%v, %v", poll, err)
	}
	for _, author := range []types.JID{bia, types.EmptyJID} {
		if _, err := s.poll(t.Context(), ana, author, knownID); err == nil || Describe(err).Code != "poll_unknown" {
			t.Errorf("%v: %v", author, err)
		}
	}
}
