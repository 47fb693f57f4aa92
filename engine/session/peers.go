package session

import (
	"context"
	"maps"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"malote.dev/engine/intake"
)

const peer = "peer"

// onPeers lets the phone's messages to this device alone, offers of history among them, be confirmed only once they are
// stored. whatsmeow sends the receipt of a message of this category while its event is still on the way.
func (s *Session) onPeers(next intake.Handler) intake.Handler {
	return func(ctx context.Context, node *waBinary.Node) {
		if node.AttrGetter().OptionalString("category") != peer {
			next(ctx, node)
			return
		}
		plain := *node
		plain.Attrs = maps.Clone(node.Attrs)
		delete(plain.Attrs, "category")
		next(ctx, &plain)
		if ctx.Err() != nil {
			return
		}
		id, _ := node.Attrs["id"].(string)
		if err := s.client.SendProtocolMessageReceipt(ctx, id, types.ReceiptTypePeerMsg); err != nil {
			s.log.Warnf("cannot confirm %s to the phone: %v", id, err)
		}
	}
}
