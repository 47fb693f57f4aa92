package session

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// nonceSize is that of every sealed content; the cipher panics at any other.
const nonceSize = 12

// unsealed is a message after the second layer of encryption that votes, some reactions and some edits have: under a key
// that came with the message they are about.
type unsealed struct {
	content *waE2E.Message // decrypted, or as it came
	target  string         // the message that it is about
	edit    bool
	vote    bool
	options [][]byte // voted for
	failed  bool     // it could not be decrypted
}

// unseal decrypts what is sealed. A key that is missing, or content that is not genuine, is told and no failure. That the
// store failed is neither: the guard has parked the session by then, and the message comes again.
func (s *Session) unseal(ctx context.Context, e *events.Message) unsealed {
	content := e.Message
	switch {
	case content.GetPollUpdateMessage() != nil:
		update := content.GetPollUpdateMessage()
		vote, err := open(update.GetVote().GetEncIV(), func() (*waE2E.PollVoteMessage, error) {
			return s.client.DecryptPollVote(ctx, e)
		})
		return unsealed{
			content: content, target: update.GetPollCreationMessageKey().GetID(),
			vote: err == nil, options: vote.GetSelectedOptions(), failed: s.noteSealed(e, err),
		}
	case content.GetEncReactionMessage() != nil:
		sealed := content.GetEncReactionMessage()
		reaction, err := open(sealed.GetEncIV(), func() (*waE2E.ReactionMessage, error) {
			return s.client.DecryptReaction(ctx, e)
		})
		if err == nil {
			reaction.Key = sealed.TargetMessageKey
			content = &waE2E.Message{ReactionMessage: reaction, MessageContextInfo: content.MessageContextInfo}
		}
		return unsealed{content: content, target: sealed.GetTargetMessageKey().GetID(), failed: s.noteSealed(e, err)}
	case content.GetSecretEncryptedMessage() != nil:
		sealed := content.GetSecretEncryptedMessage()
		opened, err := open(sealed.GetEncIV(), func() (*waE2E.Message, error) {
			return s.client.DecryptSecretEncryptedMessage(ctx, e)
		})
		edit := sealed.GetSecretEncType() == waE2E.SecretEncryptedMessage_MESSAGE_EDIT
		if err == nil {
			content = opened
			if edit {
				content = asEdit(opened, sealed.TargetMessageKey)
			}
		}
		return unsealed{
			content: content, target: sealed.GetTargetMessageKey().GetID(), edit: edit, failed: s.noteSealed(e, err),
		}
	default:
		return unsealed{content: content, target: targetOf(content)}
	}
}

func open[T any](nonce []byte, decrypt func() (T, error)) (T, error) {
	if len(nonce) != nonceSize {
		var none T
		return none, fmt.Errorf("a nonce of %d bytes", len(nonce))
	}
	return decrypt()
}

// noteSealed says whether decrypting failed.
func (s *Session) noteSealed(e *events.Message, err error) bool {
	if err != nil {
		s.log.Infof("the content of %s stays sealed: %v", e.Info.ID, err)
	}
	return err != nil
}

// asEdit gives an edit the form that it has when it is not sealed, which is also what phones seal.
func asEdit(opened *waE2E.Message, target *waCommon.MessageKey) *waE2E.Message {
	if opened.GetProtocolMessage() != nil {
		return opened
	}
	body := proto.CloneOf(opened)
	body.MessageContextInfo = nil
	return &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Key: target, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: body,
		},
		MessageContextInfo: opened.MessageContextInfo,
	}
}
