package session

import (
	"context"
	"time"

	pb "malote.dev/engine/protocol"
)

const (
	// answerGrace is how long Disconnect waits for answers that are on their way.
	answerGrace = 2 * time.Second
	// handlerGrace is how long handlers that were told to fail have to return.
	handlerGrace = 10 * time.Second
)

// Connect opens the connection and ends a park.
func (s *Session) Connect() error {
	s.connection.Lock()
	defer s.connection.Unlock()
	if s.client.IsConnected() && s.desk.IsOpen() {
		return nil
	}
	return s.dial()
}

// dial must be called with connection held.
func (s *Session) dial() error {
	// What an old connection refused comes again only on a new one, and has to come first.
	s.closeSocket()
	s.waitForHandlers(handlerGrace)
	s.lastError.Store(nil)
	s.explained.Store(false)
	s.concluded.Store(false)
	// In this order: a store that fails in between must find a desk to park.
	s.desk.Open()
	s.intake.Open()
	err := s.client.Connect()
	if err == nil {
		return nil
	}
	s.desk.Close()
	s.intake.Shut()
	failure := classify(err)
	if failure.Code == "internal" {
		failure = fail("not_connected", "%s", err)
	}
	return failure
}

// Disconnect closes the connection. When it returns, no event follows and none waits for its answer.
func (s *Session) Disconnect() {
	s.connection.Lock()
	defer s.connection.Unlock()
	s.desk.Close()
	s.intake.Shut()
	// Answers that arrive now can still be passed on to WhatsApp, which saves a second delivery.
	grace, cancel := context.WithTimeout(context.Background(), answerGrace)
	defer cancel()
	s.desk.WaitIdle(grace)
	if grace.Err() == nil {
		s.intake.WaitIdle(grace)
	}
	s.hangUp()
}

// hangUp ends the connection and everything that depends on it. Must be called with connection held.
func (s *Session) hangUp() {
	s.desk.Close()
	s.pairing.stop()
	s.intake.Abort()
	s.desk.FailWaiting()
	s.closeSocket()
	s.waitForHandlers(handlerGrace)
}

// closeSocket takes leave of WhatsApp, unless it has fallen silent: whatsmeow would wait seconds for its farewell.
func (s *Session) closeSocket() {
	if s.silent.Swap(false) {
		// First, or whatsmeow reports the cut as the end of the connection, perhaps only when there is a new one.
		//lint:ignore SA1019 there is no other way to disconnect without a farewell
		s.client.DangerousInternals().ExpectDisconnect()
		s.lines.Cut()
	}
	s.client.Disconnect()
}

func (s *Session) waitForHandlers(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.intake.WaitIdle(ctx)
}

// redial follows WhatsApp's request to connect again, which ends a pairing.
func (s *Session) redial() {
	s.connection.Lock()
	defer s.connection.Unlock()
	if !s.desk.IsOpen() {
		return
	}
	if err := s.dial(); err != nil {
		s.announce(&pb.Event{Event: &pb.Event_Disconnected{Disconnected: &pb.Disconnected{Reason: err.Error()}}})
	}
}

// conclude forgets a connection that WhatsApp has ended and returns true, once for each connection: whatsmeow may report
// the same end twice.
func (s *Session) conclude() bool {
	s.explained.Store(true)
	if s.concluded.Swap(true) {
		return false
	}
	go func() {
		s.connection.Lock()
		defer s.connection.Unlock()
		s.hangUp()
	}()
	return true
}
