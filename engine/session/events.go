package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"malote.dev/engine/delivery"
	"malote.dev/engine/intake"
	pb "malote.dev/engine/protocol"
	"malote.dev/engine/store"
)

// onEvent is called by whatsmeow for everything that happens. False keeps whatsmeow from acknowledging it.
func (s *Session) onEvent(event any) (stored bool) {
	connection := s.intake.Connection()
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Errorf("panic while handling a %T: %v\n%s", event, cause, debug.Stack())
			s.intake.AbortConnection(connection)
			s.desk.Park(delivery.Panic, fmt.Sprintf("%T: %v", event, cause))
			stored = false
		}
	}()
	if s.onConnectionEvent(event) || s.onPairingEvent(event) || s.onPassingEvent(event) || s.onSharedSettings(event) {
		return true
	}
	if answer, ok := event.(*events.MediaRetry); ok {
		s.renewals.answered(answer)
		return true
	}
	if message, ok := event.(*events.Message); ok && onlyGroupKey(message.Message) {
		// It is in the session store, or that has failed and parked. The message that it came with has the same id.
		return s.desk.IsOpen()
	}
	if message, ok := event.(*events.Message); ok {
		if share := message.Message.GetProtocolMessage().GetAppStateSyncKeyShare(); share != nil {
			return s.keepSharedKeys(context.Background(), share)
		}
	}
	durable := s.translate(context.Background(), event)
	if s.desk.Deliver(durable) {
		return true
	}
	// For some kinds whatsmeow ignores what a handler returns and acknowledges all the same; not after this. The
	// connection may be a new one by now: some events come on goroutines of their own.
	s.intake.AbortConnection(connection)
	return false
}

// onPassingEvent tells of what loses its meaning within seconds.
func (s *Session) onPassingEvent(event any) bool {
	ctx := context.Background()
	switch e := event.(type) {
	case *events.ChatPresence:
		s.desk.Tell(&pb.Event{Event: &pb.Event_ChatPresence{ChatPresence: &pb.ChatPresenceEvent{
			Chat:   s.chatOf(ctx, &e.MessageSource),
			Sender: s.identify(ctx, e.Sender, e.SenderAlt),
			State:  string(e.State),
			Media:  string(e.Media),
		}}})
	case *events.Presence:
		presence := &pb.PresenceEvent{Sender: s.identify(ctx, e.From, types.EmptyJID), Available: !e.Unavailable}
		if !e.LastSeen.IsZero() {
			presence.LastSeenMs = e.LastSeen.UnixMilli()
		}
		s.desk.Tell(&pb.Event{Event: &pb.Event_Presence{Presence: presence}})
	default:
		return false
	}
	return true
}

// translate turns an event that has to be stored into one of the protocol.
func (s *Session) translate(ctx context.Context, event any) *pb.Event {
	switch e := event.(type) {
	case *events.Message:
		return &pb.Event{Event: &pb.Event_Message{Message: s.message(ctx, e)}}
	case *events.Receipt:
		return &pb.Event{Event: &pb.Event_Receipt{Receipt: s.receipt(ctx, e)}}
	case *events.UndecryptableMessage:
		return &pb.Event{Event: &pb.Event_Undecryptable{Undecryptable: &pb.Undecryptable{
			Info:            s.messageInfo(ctx, &e.Info),
			Unavailable:     e.IsUnavailable,
			UnavailableType: string(e.UnavailableType),
			FailMode:        string(e.DecryptFailMode),
		}}}
	default:
		return &pb.Event{Event: &pb.Event_Other{Other: s.other(ctx, event)}}
	}
}

func (s *Session) message(ctx context.Context, e *events.Message) *pb.Message {
	opened := s.unseal(ctx, e)
	content := opened.content
	message := &pb.Message{
		Info:                 s.messageInfo(ctx, &e.Info),
		Message:              marshal(withoutGroupKey(content)),
		Ephemeral:            e.IsEphemeral,
		ViewOnce:             e.IsViewOnce,
		Edit:                 e.IsEdit || opened.edit,
		RetryCount:           uint32(e.RetryCount),
		UnavailableRequestId: e.UnavailableRequestID,
		Text:                 textOf(content),
		Kind:                 kindOf(content),
		TargetId:             opened.target,
		Vote:                 opened.vote,
		VoteOptions:          opened.options,
		Undecrypted:          opened.failed,
	}
	if e.RawMessage != content {
		message.Raw = marshal(e.RawMessage)
	}
	if quoting := contextOf(content); quoting.GetStanzaID() != "" {
		message.QuotedId = quoting.GetStanzaID()
		if sender, err := types.ParseJID(quoting.GetParticipant()); err == nil {
			message.QuotedSender = s.identify(ctx, sender, types.EmptyJID)
		}
	}
	if internal := content.GetProtocolMessage(); internal != nil {
		message.ProtocolType = internal.GetType().String()
		message.Secret = carriesKeys(internal)
		// Anybody can send one. Only the account's own phone knows its past, and whose numbers are whose.
		if notification := internal.GetHistorySyncNotification(); notification != nil && e.Info.IsFromMe {
			message.History = marshal(notification)
		}
	}
	return message
}

func (s *Session) messageInfo(ctx context.Context, info *types.MessageInfo) *pb.MessageInfo {
	return &pb.MessageInfo{
		Id:           info.ID,
		Chat:         s.chatOf(ctx, &info.MessageSource),
		Sender:       s.identify(ctx, info.Sender, info.SenderAlt),
		FromMe:       info.IsFromMe,
		Group:        info.IsGroup,
		TimestampMs:  milliseconds(info.Timestamp),
		PushName:     info.PushName,
		Type:         info.Type,
		SenderDevice: uint32(info.Sender.Device),
		Offline:      s.intake.IsOffline(info.ID),
		Category:     s.intake.Category(info.ID),
		Edit:         string(info.Edit),
	}
}

// chatOf gives a direct chat both identities of the other person, a group its only one.
func (s *Session) chatOf(ctx context.Context, source *types.MessageSource) *pb.Identity {
	alt := source.RecipientAlt
	if !source.IsFromMe && !source.IsGroup {
		alt = source.SenderAlt
	}
	return s.identify(ctx, source.Chat, alt)
}

func (s *Session) receipt(ctx context.Context, e *events.Receipt) *pb.Receipt {
	kind := snakeCase(string(e.Type))
	if e.Type == types.ReceiptTypeDelivered {
		kind = "delivered"
	}
	return &pb.Receipt{
		MessageIds:  e.MessageIDs,
		Chat:        s.chatOf(ctx, &e.MessageSource),
		Sender:      s.identify(ctx, e.Sender, e.SenderAlt),
		FromMe:      e.IsFromMe,
		Group:       e.IsGroup,
		TimestampMs: milliseconds(e.Timestamp),
		Type:        kind,
	}
}

// onConnectionEvent announces changes of the connection. They are not stored: the next change corrects the last.
func (s *Session) onConnectionEvent(event any) bool {
	switch e := event.(type) {
	case *events.Connected:
		s.announce(&pb.Event{Event: &pb.Event_Connected{Connected: &pb.Connected{
			Device: s.device.GetJID().String(), Lid: s.device.GetLID().User, PushName: s.device.PushName,
		}}})
	case *events.Disconnected:
		s.onDisconnected()
	case *events.StreamReplaced:
		if s.conclude() {
			s.announce(&pb.Event{Event: &pb.Event_Replaced{Replaced: &pb.Replaced{}}})
		}
	case *events.StreamError:
		s.noteError("stream error " + e.Code)
	case *events.LoggedOut:
		s.onLoggedOut(e)
	case *events.ConnectFailure:
		s.connectFailed(int32(e.Reason), nonEmpty(e.Message, e.Reason.String()), true, 0)
	case *events.TemporaryBan:
		s.connectFailed(int32(events.ConnectFailureTempBanned), "temporary_ban", false, e.Expire)
	case *events.ClientOutdated:
		s.connectFailed(int32(events.ConnectFailureClientOutdated), "client_outdated", true, 0)
	case *events.KeepAliveTimeout:
		s.onKeepAlive(e)
	case *events.KeepAliveRestored:
		s.announce(&pb.Event{Event: &pb.Event_KeepAlive{KeepAlive: &pb.KeepAlive{
			Ok: true, LastSuccessMs: time.Now().UnixMilli(),
		}}})
	case *events.OfflineSyncPreview:
		s.announce(&pb.Event{Event: &pb.Event_OfflinePreview{OfflinePreview: &pb.OfflinePreview{
			Total: uint32(e.Total), Messages: uint32(e.Messages), Receipts: uint32(e.Receipts),
			Notifications: uint32(e.Notifications),
		}}})
	case *events.OfflineSyncCompleted:
		s.announce(&pb.Event{Event: &pb.Event_OfflineDone{OfflineDone: &pb.OfflineDone{Count: uint32(e.Count)}}})
	case *events.ManualLoginReconnect:
		if !s.concluded.Swap(true) {
			go s.redial()
		}
	default:
		return false
	}
	return true
}

func (s *Session) onDisconnected() {
	// The reader may be waiting for room in a queue that nobody empties any more.
	s.intake.Shut()
	if s.explained.Load() {
		return
	}
	reason := "the connection was lost"
	if known := s.lastError.Swap(nil); known != nil {
		reason = *known
	}
	s.pairing.stop()
	s.announce(&pb.Event{Event: &pb.Event_Disconnected{Disconnected: &pb.Disconnected{Reason: reason}}})
}

// onLoggedOut waits until whatsmeow has deleted the device, so that opening the store again finds none.
func (s *Session) onLoggedOut(e *events.LoggedOut) {
	select {
	case <-store.Deleted(s.device):
	case <-time.After(5 * time.Second):
	}
	if !s.conclude() {
		return
	}
	s.announce(&pb.Event{Event: &pb.Event_LoggedOut{LoggedOut: &pb.LoggedOut{
		ServerCode: int32(e.Reason), Reason: e.Reason.String(), OnConnect: e.OnConnect,
	}}})
}

func (s *Session) connectFailed(code int32, reason string, permanent bool, retryAfter time.Duration) {
	if !s.conclude() {
		return
	}
	s.announce(&pb.Event{Event: &pb.Event_ConnectFailure{ConnectFailure: &pb.ConnectFailure{
		ServerCode: code, Reason: reason, Permanent: permanent, RetryAfterMs: uint32(retryAfter.Milliseconds()),
	}}})
}

// onKeepAlive keeps silent about an answer that is late because there is so much else to read.
func (s *Session) onKeepAlive(e *events.KeepAliveTimeout) {
	if s.intake.Busy(busyPeriod) {
		return
	}
	s.announce(&pb.Event{Event: &pb.Event_KeepAlive{KeepAlive: &pb.KeepAlive{
		Failures: uint32(e.ErrorCount), LastSuccessMs: milliseconds(e.LastSuccess),
	}}})
}

// onControl learns why WhatsApp is about to close the connection, before it does: the end of the connection may be
// noticed before the reason has been handled.
func (s *Session) onControl(node *waBinary.Node) {
	if node.Tag == "failure" {
		s.explained.Store(true)
		return
	}
	code := node.AttrGetter().OptionalString("code")
	_, conflict := node.GetOptionalChildByTag("conflict")
	switch {
	case conflict, code == "401", code == "515":
		s.explained.Store(true)
	case code != "":
		s.noteError("stream error " + code)
	}
}

// afterFailure announces the failures that whatsmeow keeps to itself, to connect again on its own account.
func (s *Session) afterFailure(next intake.Handler) intake.Handler {
	return func(ctx context.Context, node *waBinary.Node) {
		next(ctx, node)
		switch code := events.ConnectFailureReason(node.AttrGetter().OptionalInt("reason")); code {
		case events.ConnectFailureServiceUnavailable:
			s.connectFailed(int32(code), "service_unavailable", false, 0)
		case events.ConnectFailureInternalServerError:
			s.connectFailed(int32(code), "internal_server_error", false, 0)
		}
	}
}

func (s *Session) noteError(reason string) { s.lastError.Store(&reason) }

func (s *Session) onPairingEvent(event any) bool {
	switch e := event.(type) {
	case *events.QR:
		s.showCodes(e.Codes)
	case *events.RotateADVSecret:
		s.pairing.replaceSecret(e)
	case *events.PairSuccess:
		s.pairing.stop()
		s.announce(&pb.Event{Event: &pb.Event_Paired{Paired: &pb.Paired{
			Device: e.ID.String(), Lid: e.LID.User, Platform: e.Platform, BusinessName: e.BusinessName,
		}}})
	case *events.PairError:
		s.pairing.stop()
		s.pairFailed("error", e.Error.Error())
	case *events.QRScannedWithoutMultidevice:
		s.pairFailed("rejected", "the phone does not support linked devices")
	case *events.PairPasskeyRequest:
		s.pairFailed("rejected", "the account asks for a passkey, which is not supported")
	case *events.PairPasskeyError:
		s.pairFailed("error", e.Error.Error())
	default:
		return false
	}
	return true
}

func marshal(message proto.Message) []byte {
	body, err := proto.MarshalOptions{AllowPartial: true}.Marshal(message)
	if err != nil {
		panic(fmt.Sprintf("a decoded message cannot be encoded: %v", err))
	}
	return body
}

func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func nonEmpty(first, second string) string {
	if first != "" {
		return first
	}
	return second
}
