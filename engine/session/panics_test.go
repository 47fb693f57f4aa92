package session

import (
	"io"
	"os"
	"testing"

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
