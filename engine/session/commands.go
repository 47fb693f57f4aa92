package session

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
	"malote.dev/engine/store"
)

const (
	sendQueue   = 1024
	sendTimeout = 60 * time.Second
	// sendAttempts is how often a message is encrypted anew, each time because one that came in was faster.
	sendAttempts = 20
)

// Send sends a message and calls done with the result. Messages are sent one at a time, in the order of the calls.
func (s *Session) Send(command *pb.Send, done func(*pb.SendResult, error)) {
	s.enqueueUntil(command.TimeoutMs, func(ctx context.Context) { done(s.send(ctx, command)) }, done)
}

// enqueueUntil gives up what waited for its turn for as long as the actor waits for its result: the actor has put it again
// by then, or has given it up, and others wait behind it.
func (s *Session) enqueueUntil(timeoutMs uint32, send func(context.Context), done func(*pb.SendResult, error)) {
	timeout := time.Duration(timeoutMs) * time.Millisecond
	if timeout == 0 {
		timeout = sendTimeout
	}
	until := time.Now().Add(timeout)
	s.enqueue(func() {
		ctx, cancel := context.WithDeadline(context.Background(), until)
		defer cancel()
		if ctx.Err() != nil {
			done(nil, fail("timeout", "its turn did not come within %s", timeout))
			return
		}
		send(ctx)
	}, done)
}

func (s *Session) enqueue(send func(), done func(*pb.SendResult, error)) {
	guarded := func() {
		defer func() {
			if err := Survived(s.log, recover()); err != nil {
				done(nil, err)
			}
		}()
		send()
	}
	select {
	case s.sends <- guarded:
	default:
		done(nil, fail("rate_limited", "%d messages wait to be sent", sendQueue))
	}
}

func (s *Session) runSends() {
	for send := range s.sends {
		send()
	}
}

func (s *Session) send(ctx context.Context, command *pb.Send) (*pb.SendResult, error) {
	to, err := parseChat(command.To)
	if err != nil {
		return nil, err
	}
	if command.MessageId == "" {
		return nil, fail("bad_request", "a message needs an id")
	}
	var message waE2E.Message
	if err := proto.Unmarshal(command.Message, &message); err != nil {
		return nil, fail("bad_request", "not a message: %s", err)
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	return s.deliver(ctx, to, &message, whatsmeow.SendRequestExtra{ID: command.MessageId, MediaHandle: command.MediaHandle})
}

func (s *Session) deliver(
	ctx context.Context, to types.JID, message *waE2E.Message, extra whatsmeow.SendRequestExtra,
) (*pb.SendResult, error) {
	sent, err := s.encryptAndSend(ctx, to, message, extra)
	if err != nil {
		return nil, err
	}
	return &pb.SendResult{
		TimestampMs: sent.Timestamp.UnixMilli(),
		Sender:      sent.Sender.String(),
		Chat:        s.identify(ctx, sent.Chat, to),
	}, nil
}

// encryptAndSend encrypts again if messages that came in meanwhile changed a session: nothing was sent then.
func (s *Session) encryptAndSend(
	ctx context.Context, to types.JID, message *waE2E.Message, extra whatsmeow.SendRequestExtra,
) (sent whatsmeow.SendResponse, err error) {
	for range sendAttempts {
		sent, err = s.client.SendMessage(store.NoteSessions(ctx), to, message, extra)
		if !isCausedBy(err, store.ErrSessionChanged) {
			break
		}
	}
	return sent, err
}

// isCausedBy also knows a cause by its text: whatsmeow keeps no more of why a message to the phone was not encrypted.
func isCausedBy(err, cause error) bool {
	return err != nil && (errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error()))
}

// ready says whether commands can reach WhatsApp.
func (s *Session) ready() error {
	switch {
	case s.device.GetJID().IsEmpty():
		return fail("not_paired", "this device is not paired")
	case !s.client.IsLoggedIn():
		return fail("not_connected", "not connected to WhatsApp")
	default:
		return nil
	}
}

// Logout unlinks the device and deletes it from the store.
func (s *Session) Logout(ctx context.Context) error {
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.client.Logout(ctx); err != nil {
		return err
	}
	s.connection.Lock()
	defer s.connection.Unlock()
	s.hangUp()
	return nil
}

// MarkRead sends read or played receipts.
func (s *Session) MarkRead(ctx context.Context, command *pb.MarkRead) error {
	chat, err := parseChat(command.Chat)
	if err != nil {
		return err
	}
	var sender types.JID
	if command.Sender != "" {
		if sender, err = parseChat(command.Sender); err != nil {
			return err
		}
	}
	if len(command.MessageIds) == 0 {
		return fail("bad_request", "no message ids")
	}
	if err := s.ready(); err != nil {
		return err
	}
	at := time.Now()
	if command.TimestampMs > 0 {
		at = time.UnixMilli(command.TimestampMs)
	}
	kind := types.ReceiptTypeRead
	if command.Played {
		kind = types.ReceiptTypePlayed
	}
	return s.client.MarkRead(ctx, command.MessageIds, at, chat, sender, kind)
}

// ChatPresence shows in a chat that something is being written or recorded.
func (s *Session) ChatPresence(ctx context.Context, command *pb.ChatPresence) error {
	chat, err := parseChat(command.Chat)
	if err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	state, media := types.ChatPresencePaused, types.ChatPresenceMediaText
	switch command.State {
	case pb.ChatPresence_COMPOSING:
		state = types.ChatPresenceComposing
	case pb.ChatPresence_RECORDING:
		state, media = types.ChatPresenceComposing, types.ChatPresenceMediaAudio
	}
	return s.client.SendChatPresence(ctx, chat, state, media)
}

// Presence sets the account's own presence or subscribes to somebody's.
func (s *Session) Presence(ctx context.Context, command *pb.Presence) error {
	if err := s.ready(); err != nil {
		return err
	}
	if command.Subscribe != "" {
		person, err := parseChat(command.Subscribe)
		if err != nil {
			return err
		}
		return s.client.SubscribePresence(ctx, person)
	}
	state := types.PresenceUnavailable
	if command.Available {
		state = types.PresenceAvailable
	}
	if s.device.PushName == "" {
		// whatsmeow insists on sending the account's name along. It is not known before the phone has shared it, and
		// any other name would become the account's.
		//lint:ignore SA1019 there is no other way to send a stanza of one's own
		return s.client.DangerousInternals().SendNode(ctx, waBinary.Node{
			Tag: "presence", Attrs: waBinary.Attrs{"type": string(state)},
		})
	}
	return s.client.SendPresence(ctx, state)
}

// CheckNumbers says which phone numbers are on WhatsApp. Numbers that WhatsApp does not mention are not.
func (s *Session) CheckNumbers(ctx context.Context, phones []string) (*pb.CheckNumbersResult, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	result := &pb.CheckNumbersResult{}
	byDigits := make(map[string]*pb.CheckNumbersResult_Entry, len(phones))
	query := make([]string, 0, len(phones))
	for _, phone := range phones {
		digits := strings.TrimPrefix(phone, "+")
		if digits == "" || strings.Trim(digits, "0123456789") != "" {
			return nil, fail("bad_request", "%q is not a phone number", phone)
		}
		entry := &pb.CheckNumbersResult_Entry{Query: phone}
		result.Entries = append(result.Entries, entry)
		if _, twice := byDigits[digits]; !twice {
			byDigits[digits] = entry
			query = append(query, "+"+digits)
		}
	}
	if len(query) == 0 {
		return result, nil
	}
	found, err := s.client.IsOnWhatsApp(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, person := range found {
		entry := byDigits[strings.TrimPrefix(person.Query, "+")]
		if entry == nil || !person.IsIn {
			continue
		}
		entry.Registered = true
		entry.Identity = s.identify(ctx, person.JID, person.PhoneNumber)
		if person.VerifiedName != nil {
			entry.VerifiedName = person.VerifiedName.Details.GetVerifiedName()
		}
	}
	for i, phone := range phones {
		if first := byDigits[strings.TrimPrefix(phone, "+")]; first != result.Entries[i] {
			result.Entries[i] = &pb.CheckNumbersResult_Entry{
				Query: phone, Registered: first.Registered, Identity: first.Identity, VerifiedName: first.VerifiedName,
			}
		}
	}
	return result, nil
}

// GetPicture says where a profile picture can be fetched.
func (s *Session) GetPicture(ctx context.Context, command *pb.GetPicture) (*pb.GetPictureResult, error) {
	person, err := parseChat(command.Jid)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	picture, err := s.client.GetProfilePictureInfo(ctx, person, &whatsmeow.GetProfilePictureParams{
		Preview: command.Preview, ExistingID: command.ExistingId,
	})
	switch {
	case errors.Is(err, whatsmeow.ErrProfilePictureNotSet):
		return &pb.GetPictureResult{Absence: pb.GetPictureResult_NOT_SET}, nil
	case errors.Is(err, whatsmeow.ErrProfilePictureUnauthorized):
		return &pb.GetPictureResult{Absence: pb.GetPictureResult_HIDDEN}, nil
	case err != nil:
		return nil, err
	case picture == nil:
		return &pb.GetPictureResult{Absence: pb.GetPictureResult_UNCHANGED}, nil
	default:
		return &pb.GetPictureResult{Id: picture.ID, Url: picture.URL, Type: picture.Type}, nil
	}
}

// GetPrivacy returns the account's privacy settings, by WhatsApp's names.
func (s *Session) GetPrivacy(ctx context.Context) (*pb.GetPrivacyResult, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	settings, err := s.client.TryFetchPrivacySettings(ctx, true)
	if err != nil {
		return nil, err
	}
	result := &pb.GetPrivacyResult{Settings: make(map[string]string)}
	values := reflect.ValueOf(*settings)
	for i := range values.NumField() {
		if value := values.Field(i).String(); value != "" {
			result.Settings[snakeCase(values.Type().Field(i).Name)] = value
		}
	}
	return result, nil
}

func parseChat(text string) (types.JID, error) {
	jid, err := types.ParseJID(text)
	if err != nil || jid.User == "" || jid.Device != 0 {
		return types.EmptyJID, fail("bad_request", "%q is not the JID of a chat", text)
	}
	return jid, nil
}
