package session

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

// renewalTimeout is how long a phone may take to upload a file again.
const renewalTimeout = 30 * time.Second

// renewals are the files that the phone was asked for, by the ids of their messages.
type renewals struct {
	mu      sync.Mutex
	waiting map[string]chan *events.MediaRetry
}

func (r *renewals) begin(id string) chan *events.MediaRetry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = make(map[string]chan *events.MediaRetry)
	}
	answer := make(chan *events.MediaRetry, 1)
	r.waiting[id] = answer
	return answer
}

func (r *renewals) end(id string, answer chan *events.MediaRetry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[id] == answer {
		delete(r.waiting, id)
	}
}

// answered passes on what the phone says. Nobody may wait for it any more.
func (r *renewals) answered(event *events.MediaRetry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if answer := r.waiting[event.MessageID]; answer != nil {
		delete(r.waiting, event.MessageID)
		answer <- event
	}
}

// renew has the phone upload a file again that WhatsApp has no longer; where it is then.
func (s *Session) renew(ctx context.Context, wanted *pb.Renewal, mediaKey []byte) (string, error) {
	message, err := renewed(wanted)
	if err != nil {
		return "", err
	}
	if len(mediaKey) == 0 {
		return "", fail("media_gone", "WhatsApp has the file no longer, and the phone gives it to nobody without its key")
	}
	answer := s.renewals.begin(wanted.MessageId)
	defer s.renewals.end(wanted.MessageId, answer)
	if err := s.client.SendMediaRetryReceipt(ctx, message, mediaKey); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
	defer cancel()
	var event *events.MediaRetry
	select {
	case event = <-answer:
	case <-ctx.Done():
		return "", fail("media_gone", "WhatsApp has the file no longer, and the phone did not upload it again in time")
	}
	told, err := whatsmeow.DecryptMediaRetryNotification(event, mediaKey)
	if err != nil {
		return "", fail("media_gone", "WhatsApp has the file no longer, and the phone refused: %s", err)
	}
	if told.GetResult() != waMmsRetry.MediaRetryNotification_SUCCESS || told.GetDirectPath() == "" {
		return "", fail("media_gone", "WhatsApp has the file no longer, and the phone said %s", told.GetResult())
	}
	return told.GetDirectPath(), nil
}

func renewed(wanted *pb.Renewal) (*types.MessageInfo, error) {
	if wanted.MessageId == "" {
		return nil, fail("bad_request", "a message has an id")
	}
	chat, err := parseChat(wanted.Chat)
	if err != nil {
		return nil, err
	}
	info := &types.MessageInfo{ID: wanted.MessageId}
	info.Chat, info.IsFromMe, info.IsGroup = chat, wanted.FromMe, chat.Server == types.GroupServer
	if wanted.Sender != "" {
		if info.Sender, err = parsePerson(wanted.Sender); err != nil {
			return nil, err
		}
	}
	return info, nil
}

// afresh is a command for the same file at another place.
func afresh(command *pb.FetchMedia, path string) *pb.FetchMedia {
	again := proto.Clone(command).(*pb.FetchMedia)
	again.DirectPath, again.Renewal = path, nil
	return again
}
