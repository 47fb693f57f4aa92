package session

import (
	"context"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

const maxNewsletterPosts = 100

// GetNewsletterPosts returns what stands in a newsletter, with how often each was seen and reacted to.
func (s *Session) GetNewsletterPosts(ctx context.Context, command *pb.GetNewsletterPosts) (*pb.NewsletterPosts, error) {
	jid, err := parseNewsletter(command.Jid)
	if err != nil {
		return nil, err
	}
	if command.Count == 0 || command.Count > maxNewsletterPosts {
		return nil, fail("bad_request", "1 to %d messages can be read at a time, not %d", maxNewsletterPosts, command.Count)
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	found, err := s.client.GetNewsletterMessages(ctx, jid, &whatsmeow.GetNewsletterMessagesParams{
		Count: int(command.Count), Before: types.MessageServerID(command.Before),
	})
	if err != nil {
		return nil, err
	}
	result := &pb.NewsletterPosts{}
	for _, one := range found {
		result.Posts = append(result.Posts, newsletterPost(one))
	}
	return result, nil
}

func newsletterPost(one *types.NewsletterMessage) *pb.NewsletterPost {
	post := &pb.NewsletterPost{
		ServerId: uint64(max(one.MessageServerID, 0)), Id: one.MessageID, TimestampMs: milliseconds(one.Timestamp),
		Views: uint32(max(one.ViewsCount, 0)), Reactions: make(map[string]uint32, len(one.ReactionCounts)),
	}
	for emoji, count := range one.ReactionCounts {
		if count > 0 {
			post.Reactions[emoji] = uint32(count)
		}
	}
	if one.Message != nil {
		post.Message = marshal(one.Message)
	}
	return post
}

// ChangeNewsletterPost reacts to what stands in a newsletter, takes a reaction back, or says that it was seen.
func (s *Session) ChangeNewsletterPost(ctx context.Context, command *pb.ChangeNewsletterPost) error {
	jid, err := parseNewsletter(command.Jid)
	if err != nil {
		return err
	}
	if command.ServerId == 0 {
		return fail("bad_request", "a message of a newsletter has a number")
	}
	if err := s.ready(); err != nil {
		return err
	}
	post := types.MessageServerID(command.ServerId)
	id := s.client.GenerateMessageID()
	switch change := command.Change.(type) {
	case *pb.ChangeNewsletterPost_Reaction:
		return s.acknowledged(ctx, id, func() error {
			return s.client.NewsletterSendReaction(ctx, jid, post, change.Reaction, id)
		})
	case *pb.ChangeNewsletterPost_Viewed:
		return s.acknowledged(ctx, id, func() error { return s.sendView(ctx, jid, post, id) })
	default:
		return fail("bad_request", "no change of the message is given")
	}
}

// sendView does what whatsmeow's NewsletterMarkViewed does, which waits for ever where no answer comes.
func (s *Session) sendView(ctx context.Context, jid types.JID, post types.MessageServerID, id string) error {
	//lint:ignore SA1019 there is no other way to send a stanza of one's own
	return s.client.DangerousInternals().SendNode(ctx, waBinary.Node{
		Tag:   "receipt",
		Attrs: waBinary.Attrs{"to": jid, "type": "view", "id": id},
		Content: []waBinary.Node{{Tag: "list", Content: []waBinary.Node{
			{Tag: "item", Attrs: waBinary.Attrs{"server_id": post}},
		}}},
	})
}

// acknowledged sends a stanza and waits for WhatsApp's word on it.
func (s *Session) acknowledged(ctx context.Context, id string, send func() error) error {
	//lint:ignore SA1019 whatsmeow sends these without waiting
	internals := s.client.DangerousInternals()
	answer := internals.WaitResponse(id)
	defer internals.CancelResponse(id, answer)
	if err := send(); err != nil {
		return err
	}
	select {
	case ack := <-answer:
		return refusedBy(ack)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func refusedBy(ack *waBinary.Node) error {
	if ack == nil || ack.Tag != "ack" {
		return fail("not_connected", "the connection ended before WhatsApp answered")
	}
	if code := ack.AttrGetter().OptionalInt("error"); code != 0 {
		return refusal(code, "WhatsApp refused it")
	}
	return nil
}
