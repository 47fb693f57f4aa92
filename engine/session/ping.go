package session

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

const (
	defaultPingTimeout = 10 * time.Second
	// busyPeriod is how recently stanzas must have been handled for a missing reply to be explained by those before it.
	busyPeriod = time.Minute
)

// Ping asks WhatsApp for a sign of life, with the query that whatsmeow's own keepalive uses.
func (s *Session) Ping(ctx context.Context, command *pb.Ping) error {
	if err := s.ready(); err != nil {
		return err
	}
	timeout := time.Duration(command.TimeoutMs) * time.Millisecond
	if timeout == 0 {
		timeout = defaultPingTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := make(chan error, 1)
	// On a goroutine of its own: behind a write that hangs it waits longer than its context lasts.
	go func() {
		// Not whatsmeow's SendKeepAlive, which takes the end of the connection for an answer.
		//lint:ignore SA1019 there is no other way to send a query of one's own
		_, err := s.client.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
			Namespace: "w:p", Type: "get", To: types.ServerJID, NoRetry: true,
		})
		answer <- err
	}()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	err = signOfLife(err, s.intake.Busy(busyPeriod))
	s.silent.Store(err != nil && classify(err).Code == "timeout")
	return err
}

// signOfLife returns nil if the result of a query proves, or does not disprove, that WhatsApp is there.
func signOfLife(err error, busy bool) error {
	var refusal *whatsmeow.IQError
	switch {
	case err == nil, errors.As(err, &refusal):
		return nil
	case busy && classify(err).Code == "timeout":
		return nil
	default:
		return err
	}
}
