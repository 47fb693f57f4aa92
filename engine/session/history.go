package session

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

// history is the part of the account's history that is being read. One at a time: it holds files open.
type history struct {
	mu   sync.Mutex
	part *historyPart
}

// ReadHistory returns a page of a part of the history that the phone has offered.
func (s *Session) ReadHistory(ctx context.Context, command *pb.ReadHistory) (*pb.HistoryPage, error) {
	notification, err := parseNotification(command.Notification)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(command.Folder) {
		return nil, fail("bad_request", "%q is not an absolute path of a folder", command.Folder)
	}
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	var page *pb.HistoryPage
	inBackground(func() { page, err = s.readHistory(ctx, command, notification) })
	return page, err
}

func (s *Session) readHistory(
	ctx context.Context, command *pb.ReadHistory, notification *waE2E.HistorySyncNotification,
) (*pb.HistoryPage, error) {
	part, err := s.openPart(ctx, command, notification)
	if err != nil {
		return nil, err
	}
	page, err := s.readPage(ctx, part, command)
	if err != nil {
		s.closePart()
		return nil, err
	}
	return page, nil
}

func parseNotification(body []byte) (*waE2E.HistorySyncNotification, error) {
	var notification waE2E.HistorySyncNotification
	if err := proto.Unmarshal(body, &notification); err != nil {
		return nil, fail("bad_request", "not a history notification: %s", err)
	}
	return &notification, nil
}

// openPart returns the part at the place where the page starts, as it is or opened anew.
func (s *Session) openPart(
	ctx context.Context, command *pb.ReadHistory, notification *waE2E.HistorySyncNotification,
) (*historyPart, error) {
	part := s.history.part
	if part == nil || part.key != string(command.Notification) {
		s.closePart()
		opened, err := s.fetchPart(ctx, command, notification)
		if err != nil {
			return nil, err
		}
		part = opened
		s.history.part = part
		s.learnHistory(ctx, part.head)
	}
	if part.at != command.Start {
		if err := part.seek(command.Start); err != nil {
			s.closePart()
			return nil, err
		}
	}
	return part, nil
}

func (s *Session) closePart() {
	if s.history.part != nil {
		s.history.part.close()
		s.history.part = nil
	}
}

func (s *Session) fetchPart(
	ctx context.Context, command *pb.ReadHistory, notification *waE2E.HistorySyncNotification,
) (*historyPart, error) {
	inline := notification.GetInitialHistBootstrapInlinePayload()
	if inline != nil {
		return unpackPart(command, inline)
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	packed, err := namelessFile(command.Folder)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	// What is packed is not larger than what it is unpacked to, but for a few bytes.
	target := newDownload(packed, command.MaxPartBytes)
	err = s.client.DownloadMediaWithPathToFile(
		context.WithValue(ctx, downloadKey{}, target), notification.GetDirectPath(), notification.GetFileEncSHA256(),
		notification.GetFileSHA256(), notification.GetMediaKey(), whatsmeow.MediaHistory, "", false, target,
	)
	if err != nil {
		return nil, mediaFailure(ctx, err)
	}
	return unpackPart(command, packed)
}

// learnHistory keeps what the engine itself needs of a part, as whatsmeow does when it downloads parts on its own.
func (s *Session) learnHistory(ctx context.Context, head *waHistorySync.HistorySync) {
	//lint:ignore SA1019 there is no other way to keep this
	internals := s.client.DangerousInternals()
	if err := internals.StoreNCTSalt(ctx, head.GetNctSalt()); err != nil {
		s.log.Warnf("cannot keep the salt of a part of the history: %v", err)
	}
	if mappings := head.GetPhoneNumberToLidMappings(); len(mappings) > 0 {
		internals.StoreHistoricalPNLIDMappings(ctx, mappings)
	}
	if head.GetSyncType() == waHistorySync.HistorySync_PUSH_NAME {
		internals.HandleHistoricalPushNames(ctx, head.GetPushnames())
	}
	if head.GlobalSettings != nil {
		internals.StoreGlobalSettings(ctx, head.GlobalSettings)
	}
}

func (s *Session) readPage(ctx context.Context, part *historyPart, command *pb.ReadHistory) (*pb.HistoryPage, error) {
	page := &pb.HistoryPage{
		Sync:  snakeCase(waHistorySync.HistorySync_HistorySyncType_name[int32(part.head.GetSyncType())]),
		Chunk: part.head.GetChunkOrder(), Progress: part.head.GetProgress(),
	}
	size := 0
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entry, err := part.peek()
		if err != nil {
			return nil, err
		}
		if entry == nil {
			page.Done = true
			break
		}
		var chat *pb.HistoryChat
		var message *pb.Message
		if entry.begins {
			//lint:ignore SA1019 there is no other way to keep the keys of polls
			s.client.DangerousInternals().StoreHistoricalMessageSecrets(ctx, []*waHistorySync.Conversation{entry.chat})
			chat = s.historyChat(ctx, entry.chat)
		} else {
			message = s.historyMessage(ctx, entry)
		}
		more := proto.Size(chat) + proto.Size(message)
		if size > 0 && size+more > int(command.MaxBytes) {
			break
		}
		size += more
		switch {
		case chat != nil:
			page.Chats = append(page.Chats, chat)
		case message != nil:
			page.Messages = append(page.Messages, message)
		default:
			page.Skipped++
		}
		part.advance()
	}
	page.Next = part.at
	return page, nil
}

func (s *Session) historyChat(ctx context.Context, chat *waHistorySync.Conversation) *pb.HistoryChat {
	jid, err := types.ParseJID(chat.GetID())
	if err != nil || jid.User == "" {
		return nil
	}
	other, err := types.ParseJID(nonEmpty(chat.GetLidJID(), chat.GetPnJID()))
	if err != nil || other.Server == jid.Server {
		other = types.EmptyJID
	}
	muted := int64(chat.GetMuteEndTime()) * 1000
	if muted < 0 || chat.GetMuteEndTime() > 1<<48 {
		muted = -1
	}
	return &pb.HistoryChat{
		Chat: s.identify(ctx, jid, other), Name: nonEmpty(chat.GetName(), chat.GetDisplayName()),
		Unread: chat.GetUnreadCount(), Archived: chat.GetArchived(), Pinned: chat.GetPinned() > 0,
		MutedUntilMs: muted, LastMessageMs: int64(chat.GetConversationTimestamp()) * 1000,
		Complete: chat.GetEndOfHistoryTransferType() ==
			waHistorySync.Conversation_COMPLETE_AND_NO_MORE_MESSAGE_REMAIN_ON_PRIMARY,
	}
}

// historyMessage returns nil for what is no message: notices of the app's own, and what cannot be read.
func (s *Session) historyMessage(ctx context.Context, entry *historyEntry) (message *pb.Message) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Errorf("panic while reading a message of the history: %v\n%s", cause, debug.Stack())
			message = nil
		}
	}()
	if entry.message.GetMessage() == nil || entry.message.GetMessageStubType() != waWeb.WebMessageInfo_UNKNOWN {
		return nil
	}
	var chat types.JID
	if entry.chat != nil {
		parsed, err := types.ParseJID(entry.chat.GetID())
		if err != nil {
			return nil
		}
		chat = parsed
	}
	event, err := s.client.ParseWebMessage(chat, entry.message)
	if err != nil {
		s.log.Infof("a message of the history was passed over: %v", err)
		return nil
	}
	message = s.message(ctx, event)
	// An edited message is what it says now, and no edit of another one.
	message.Raw, message.Edit = nil, false
	return message
}

// FinishHistory tells the phone that a part was read, and WhatsApp that its file can go.
func (s *Session) FinishHistory(ctx context.Context, command *pb.FinishHistory) error {
	notification, err := parseNotification(command.Notification)
	if err != nil {
		return err
	}
	s.history.mu.Lock()
	if s.history.part != nil && s.history.part.key == string(command.Notification) {
		s.closePart()
	}
	s.history.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	told := s.client.SendProtocolMessageReceipt(ctx, command.MessageId, types.ReceiptTypeHistorySync)
	removed := s.client.DeleteMedia(
		ctx, whatsmeow.MediaHistory, notification.GetDirectPath(), notification.GetFileEncSHA256(), notification.GetEncHandle(),
	)
	if removed != nil {
		// WhatsApp removes it by itself, later.
		removed = fmt.Errorf("the file of the history stays: %w", mediaFailure(ctx, removed))
	}
	return errors.Join(told, removed)
}

// AskHistory asks the phone for messages of a chat that are older than one.
func (s *Session) AskHistory(ctx context.Context, command *pb.AskHistory) error {
	chat, err := parseChat(command.Chat)
	if err != nil {
		return err
	}
	if command.MessageId == "" || command.TimestampMs <= 0 || command.Count == 0 || command.Count > 1000 {
		return fail("bad_request", "older messages than which one, of when, and how many?")
	}
	if err := s.ready(); err != nil {
		return err
	}
	request := s.client.BuildHistorySyncRequest(&types.MessageInfo{
		MessageSource: types.MessageSource{Chat: chat, IsFromMe: command.FromMe},
		ID:            command.MessageId,
		Timestamp:     time.UnixMilli(command.TimestampMs),
	}, int(command.Count))
	return s.tellPhone(ctx, request)
}

// tellPhone sends a message to the account's phone alone, in turn with those to others.
func (s *Session) tellPhone(ctx context.Context, message *waE2E.Message) error {
	told := make(chan error, 1)
	s.enqueue(func() {
		extra := whatsmeow.SendRequestExtra{ID: s.client.GenerateMessageID(), Peer: true}
		_, err := s.encryptAndSend(ctx, s.device.GetJID().ToNonAD(), message, extra)
		told <- err
	}, func(_ *pb.SendResult, err error) { told <- err })
	select {
	case err := <-told:
		if isCausedBy(err, whatsmeow.ErrNoSession) {
			return fail("rejected", "the phone has not told this device anything yet: ask again when it has")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
