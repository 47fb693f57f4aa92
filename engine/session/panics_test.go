package session

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"malote.dev/engine/logs"
	pb "malote.dev/engine/protocol"
)

func TestASendThatPanicsFailsAndTheNextOneGoesOn(t *testing.T) {
	s := &Session{sends: make(chan func(), 2), log: logs.NewSink(logs.Error).Logger("test")}
	defer close(s.sends)
	go s.runSends()
	ended := make(chan error, 2)
	done := func(_ *pb.SendResult, err error) { ended <- err }
	s.enqueue(func() { panic("no such field") }, done)
	s.enqueue(func() { done(nil, io.EOF) }, done)
	if err := <-ended; err == nil || Describe(err).Code != "internal" {
		t.Errorf("the one that panics: %v", err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the one behind it: %v", err)
	}
}

func TestAPanicInTheBackgroundIsTheCallers(t *testing.T) {
	defer func() {
		if cause := recover(); cause != os.ErrInvalid {
			t.Errorf("recovered %v", cause)
		}
	}()
	inBackground(func() { panic(os.ErrInvalid) })
	t.Error("went on")
}

func TestASendThatItsActorHasGivenUpHoldsUpNobody(t *testing.T) {
	s := &Session{sends: make(chan func(), 3), log: logs.NewSink(logs.Error).Logger("test")}
	defer close(s.sends)
	ended := make(chan error, 2)
	done := func(_ *pb.SendResult, err error) { ended <- err }
	s.enqueueUntil(1, func(context.Context) { done(nil, io.EOF) }, done)
	s.enqueueUntil(0, func(ctx context.Context) {
		if left, bounded := ctx.Deadline(); !bounded || time.Until(left) <= 0 {
			t.Error("no time is left")
		}
		done(nil, io.EOF)
	}, done)
	time.Sleep(5 * time.Millisecond)
	go s.runSends()
	if err := <-ended; err == nil || Describe(err).Code != "timeout" {
		t.Errorf("the one that is late: %v", err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the one behind it: %v", err)
	}
}
