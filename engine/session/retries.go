package session

import (
	"context"
	"errors"
	"runtime/debug"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"malote.dev/engine/intake"
	"malote.dev/engine/store"
)

// retryAttempts is how often a message is encrypted anew for one receiver who asked for it. whatsmeow ignores a request
// that it is given for the tenth time.
const retryAttempts = 8

// onRetries answers those who could not decrypt a message of ours. whatsmeow's own way to do that writes back a session
// that messages which came in, or were sent, may have changed since it was read: their steps would be undone.
func (s *Session) onRetries(next intake.Handler) intake.Handler {
	return func(ctx context.Context, node *waBinary.Node) {
		if node.AttrGetter().OptionalString("type") != string(types.ReceiptTypeRetry) {
			next(ctx, node)
			return
		}
		//lint:ignore SA1019 there is no other way to answer a retry receipt oneself
		receipt, _, err := s.client.DangerousInternals().ParseReceipt(node)
		if err != nil || len(receipt.MessageIDs) == 0 {
			next(ctx, node)
			return
		}
		if !s.onEvent(receipt) {
			return
		}
		// In turn with the messages that are sent, so that only what comes in can be faster.
		again := func() { s.sendAgain(ctx, receipt, node) }
		select {
		case s.sends <- again:
		default:
			go again()
		}
	}
}

func (s *Session) sendAgain(ctx context.Context, receipt *events.Receipt, node *waBinary.Node) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Errorf("panic while sending %s again: %v\n%s", receipt.MessageIDs[0], cause, debug.Stack())
		}
	}()
	//lint:ignore SA1019 as above
	internals := s.client.DangerousInternals()
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	var err error
	for range retryAttempts {
		err = internals.HandleRetryReceipt(store.NoteSessions(bounded), receipt, node)
		if !errors.Is(err, store.ErrSessionChanged) {
			break
		}
	}
	if err != nil {
		s.log.Warnf("could not send %s again to %s: %v", receipt.MessageIDs[0], receipt.Sender, err)
	}
	// What stands in the way only now does not at the next connect, when the request comes again.
	comesAgain := bounded.Err() != nil || errors.Is(err, whatsmeow.ErrNotConnected) || errors.Is(err, store.ErrSessionChanged)
	internals.MaybeDeferredAck(ctx, node)(&comesAgain)
}
