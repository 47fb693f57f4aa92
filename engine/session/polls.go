package session

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

// Vote votes in a poll and calls done with the result, in the order of the sends.
func (s *Session) Vote(command *pb.Vote, done func(*pb.SendResult, error)) {
	s.enqueueUntil(command.TimeoutMs, func(ctx context.Context) { done(s.vote(ctx, command)) }, done)
}

func (s *Session) vote(ctx context.Context, command *pb.Vote) (*pb.SendResult, error) {
	chat, err := parseChat(command.Chat)
	if err != nil {
		return nil, err
	}
	var author types.JID
	if command.Sender != "" {
		if author, err = parseChat(command.Sender); err != nil {
			return nil, err
		}
	}
	if command.MessageId == "" || command.PollId == "" {
		return nil, fail("bad_request", "a vote needs an id, and that of its poll")
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	poll, err := s.poll(ctx, chat, author, command.PollId)
	if err != nil {
		return nil, err
	}
	message, err := s.client.BuildPollVote(ctx, poll, command.Options)
	if err != nil {
		return nil, err
	}
	return s.deliver(ctx, chat, message, whatsmeow.SendRequestExtra{ID: command.MessageId})
}

// poll says where a poll is and who sent it, under the identity whose key it was encrypted for: a vote under the other
// one cannot be read.
func (s *Session) poll(ctx context.Context, chat, author types.JID, id string) (*types.MessageInfo, error) {
	authors := []types.JID{author}
	if author.IsEmpty() {
		authors = []types.JID{s.device.GetLID().ToNonAD(), s.device.GetJID().ToNonAD()}
	}
	for _, candidate := range authors {
		key, known, err := s.device.MsgSecrets.GetMessageSecret(ctx, chat, candidate, id)
		if err != nil {
			return nil, err
		}
		if key == nil {
			continue
		}
		poll := &types.MessageInfo{ID: id}
		poll.Chat, poll.Sender, poll.IsGroup = chat, known.ToNonAD(), chat.Server == types.GroupServer
		poll.IsFromMe = known.User == s.device.GetLID().User || known.User == s.device.GetJID().User
		if !poll.IsGroup && !poll.IsFromMe {
			poll.Chat = poll.Sender
		} else if lid := s.lookup(ctx, chat); lid.Server == types.HiddenUserServer {
			poll.Chat = lid
		}
		return poll, nil
	}
	return nil, fail("poll_unknown", "no poll %s of this sender was seen in this chat", id)
}
