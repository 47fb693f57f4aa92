package session

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"malote.dev/engine/intake"
)

func TestTheKindOfAMessageIsItsContent(t *testing.T) {
	secret := &waE2E.MessageContextInfo{MessageSecret: []byte("s")}
	key := &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("g")}
	for wanted, message := range map[string]*waE2E.Message{
		"":                             {},
		"conversation":                 {Conversation: proto.String("hi"), MessageContextInfo: secret, SenderKeyDistributionMessage: key},
		"imageMessage":                 {ImageMessage: &waE2E.ImageMessage{}, MessageContextInfo: secret},
		"senderKeyDistributionMessage": {SenderKeyDistributionMessage: key, MessageContextInfo: secret},
	} {
		if kind := kindOf(message); kind != wanted {
			t.Errorf("%q instead of %q", kind, wanted)
		}
	}
}

func TestAGroupsKeyIsLeftOut(t *testing.T) {
	message := &waE2E.Message{
		Conversation:                 proto.String("hi"),
		SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{AxolotlSenderKeyDistributionMessage: []byte("key")},
	}
	stripped := withoutGroupKey(message)
	if stripped.SenderKeyDistributionMessage != nil || stripped.GetConversation() != "hi" {
		t.Errorf("%v", stripped)
	}
	if message.SenderKeyDistributionMessage == nil {
		t.Error("the message itself was changed")
	}
}

func TestAnAnswerNamesWhatItAnswers(t *testing.T) {
	quoting := &waE2E.ContextInfo{StanzaID: proto.String("Q1")}
	for _, message := range []*waE2E.Message{
		{ExtendedTextMessage: &waE2E.ExtendedTextMessage{ContextInfo: quoting}},
		{ImageMessage: &waE2E.ImageMessage{ContextInfo: quoting}, MessageContextInfo: &waE2E.MessageContextInfo{}},
	} {
		if contextOf(message).GetStanzaID() != "Q1" {
			t.Errorf("%v", message)
		}
	}
	if contextOf(&waE2E.Message{Conversation: proto.String("x")}).GetStanzaID() != "" {
		t.Error("a plain text answers nothing")
	}
}

func TestTargets(t *testing.T) {
	key := &waCommon.MessageKey{ID: proto.String("T")}
	if targetOf(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key}}) != "T" ||
		targetOf(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: key}}) != "T" {
		t.Error("the target is missing")
	}
}

func TestSnakeCase(t *testing.T) {
	for name, wanted := range map[string]string{
		"GroupInfo": "group_info", "AppStateSyncComplete": "app_state_sync_complete", "JIDAlt": "jid_alt",
		"CATRefreshError": "cat_refresh_error", "read-self": "read_self", "hist_sync": "hist_sync", "": "",
	} {
		if got := snakeCase(name); got != wanted {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func newDetachedSession() *Session {
	return &Session{device: &waStore.Device{LIDs: noLIDs{}}, intake: intake.New()}
}

func TestAnyEventIsPassedOnAsJSON(t *testing.T) {
	at := time.Unix(1700000000, 0)
	group := types.NewJID("123-456", types.GroupServer)
	author := types.NewJID("777", types.HiddenUserServer)
	s := newDetachedSession()
	ctx := t.Context()

	picture := s.other(ctx, &events.Picture{JID: group, Author: author, Timestamp: at, PictureID: "9"})
	if picture.Kind != "picture" || picture.Chat.Jid != group.String() || picture.Sender.Lid != "777" ||
		picture.TimestampMs != at.UnixMilli() || picture.Key == "" || !json.Valid(picture.Json) {
		t.Errorf("%v", picture)
	}
	again := s.other(ctx, &events.Picture{JID: group, Author: author, Timestamp: at, PictureID: "9"})
	other := s.other(ctx, &events.Picture{JID: group, Author: author, Timestamp: at, PictureID: "10"})
	if again.Key != picture.Key || other.Key == picture.Key {
		t.Error("the key does not identify the event")
	}
	if blocked := s.other(ctx, &events.Blocklist{DHash: "x"}); blocked.Key != "" || blocked.Kind != "blocklist" {
		t.Errorf("an event without a time got a key: %v", blocked)
	}
	if info := s.other(ctx, &events.GroupInfo{JID: group, Sender: &author, Timestamp: at}); info.Sender.GetLid() != "777" {
		t.Errorf("a pointer to a JID is not found: %v", info)
	}
	call := s.other(ctx, &events.CallOffer{BasicCallMeta: types.BasicCallMeta{From: author, Timestamp: at, CallCreator: author}})
	if call.Kind != "call_offer" || call.Chat.GetLid() != "777" || call.TimestampMs == 0 {
		t.Errorf("embedded fields are not found: %v", call)
	}
}

func TestAnEventTooLargeOrOddIsDescribed(t *testing.T) {
	for _, event := range []any{
		&events.UserAbout{Status: strings.Repeat("x", maxOtherSize)},
		struct{ Channel chan int }{},
	} {
		body := encodeOther(event)
		if !json.Valid(body) || len(body) > maxOtherSize || !strings.Contains(string(body), `"error"`) {
			t.Errorf("%d bytes: %.80s", len(body), body)
		}
	}
}
