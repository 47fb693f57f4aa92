package delivery

import (
	"context"
	"sync"
	"testing"
	"time"

	pb "malote.dev/engine/protocol"
)

type actor struct {
	frames chan *pb.FromEngine
	mu     sync.Mutex
	parks  []Cause
}

func newDesk(timeout time.Duration) (*Desk, *actor) {
	a := &actor{frames: make(chan *pb.FromEngine, 16)}
	post := func(frame *pb.FromEngine, until <-chan time.Time) bool {
		select {
		case a.frames <- frame:
			return true
		case <-until:
			return false
		}
	}
	desk := New(post, timeout, func(cause Cause, _ string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.parks = append(a.parks, cause)
	})
	return desk, a
}

func (a *actor) parked() []Cause {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parks
}

func message(id string) *pb.Event {
	return &pb.Event{Event: &pb.Event_Message{Message: &pb.Message{Info: &pb.MessageInfo{Id: id}}}}
}

func deliver(desk *Desk, id string) <-chan bool {
	result := make(chan bool, 1)
	go func() { result <- desk.Deliver(message(id)) }()
	return result
}

func TestAnEventIsStoredWhenTheActorSaysSo(t *testing.T) {
	desk, a := newDesk(time.Minute)
	desk.Open()
	result := deliver(desk, "1")
	event := (<-a.frames).GetEvent()
	if event.EventId == 0 || event.ReceivedAtMs == 0 {
		t.Fatalf("%v", event)
	}
	desk.Answer(event.EventId, true, "")
	if !<-result {
		t.Error("not stored")
	}
	if c := desk.Counters(); c.Sent != 1 || c.Stored != 1 || c.Refused != 0 || c.Waiting != 0 {
		t.Errorf("%+v", c)
	}
	desk.Answer(event.EventId, true, "")
	if desk.Counters().Late != 1 {
		t.Error("a second answer is not counted as late")
	}
}

func TestOneRefusalFailsEverythingBehindIt(t *testing.T) {
	desk, a := newDesk(time.Minute)
	desk.Open()
	first, second := deliver(desk, "1"), deliver(desk, "2")
	event := (<-a.frames).GetEvent()
	<-a.frames
	desk.Answer(event.EventId, false, "mailbox full")
	if <-first || <-second {
		t.Error("an event passed")
	}
	if desk.Deliver(message("3")) || len(a.frames) != 0 {
		t.Error("the actor was asked although parked")
	}
	if parks := a.parked(); len(parks) != 1 || parks[0] != Refused {
		t.Errorf("%v", parks)
	}
	desk.Park(Store, "again")
	if len(a.parked()) != 1 {
		t.Error("parked twice")
	}
	desk.Open()
	result := deliver(desk, "4")
	desk.Answer((<-a.frames).GetEvent().EventId, true, "")
	if !<-result {
		t.Error("not open again")
	}
}

func TestNoAnswerParks(t *testing.T) {
	desk, a := newDesk(time.Millisecond)
	desk.Open()
	if desk.Deliver(message("1")) {
		t.Error("stored without an answer")
	}
	if parks := a.parked(); len(parks) != 1 || parks[0] != AnswerTimeout {
		t.Errorf("%v", parks)
	}
}

func TestAnActorThatDoesNotReadParks(t *testing.T) {
	var parks []Cause
	stuck := func(_ *pb.FromEngine, until <-chan time.Time) bool {
		<-until
		return false
	}
	desk := New(stuck, time.Millisecond, func(cause Cause, _ string) { parks = append(parks, cause) })
	desk.Open()
	if desk.Deliver(message("1")) || len(parks) != 1 || parks[0] != AnswerTimeout {
		t.Errorf("%v", parks)
	}
}

func TestClosingLetsTheWaitingFinish(t *testing.T) {
	desk, a := newDesk(time.Minute)
	desk.Open()
	result := deliver(desk, "1")
	event := (<-a.frames).GetEvent()
	desk.Close()
	if desk.Deliver(message("2")) {
		t.Error("a closed desk delivered")
	}
	desk.Tell(&pb.Event{Event: &pb.Event_Presence{Presence: &pb.PresenceEvent{}}})
	if len(a.frames) != 0 {
		t.Error("a closed desk told something")
	}
	desk.Answer(event.EventId, true, "")
	if !<-result {
		t.Error("the answer was lost")
	}
	desk.WaitIdle(t.Context())
	if len(a.parked()) != 0 {
		t.Error("closing is no park")
	}
}

func TestWaitIdle(t *testing.T) {
	desk, a := newDesk(time.Minute)
	desk.Open()
	result := deliver(desk, "1")
	<-a.frames
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	desk.WaitIdle(ended)
	idle := make(chan struct{})
	go func() {
		desk.WaitIdle(context.Background())
		close(idle)
	}()
	desk.FailWaiting()
	<-idle
	if <-result {
		t.Error("failed but stored")
	}
}

func TestAnnouncementsPassAClosedDesk(t *testing.T) {
	desk, a := newDesk(time.Minute)
	desk.Announce(&pb.Event{Event: &pb.Event_Replaced{Replaced: &pb.Replaced{}}})
	if event := (<-a.frames).GetEvent(); event.GetReplaced() == nil || event.EventId != 0 {
		t.Errorf("%v", event)
	}
}
