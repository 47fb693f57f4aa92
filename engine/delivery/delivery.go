// Package delivery hands events to the actor and waits for its answers.
package delivery

import (
	"context"
	"sync"
	"time"

	pb "malote.dev/engine/protocol"
)

// Cause says why a desk was parked.
type Cause string

// The causes of a park.
const (
	Refused       Cause = "refused"
	AnswerTimeout Cause = "answer_timeout"
	Store         Cause = "store"
	Panic         Cause = "panic"
)

// Post puts a frame on its way to the actor. It gives up, and returns false, when until is closed or fires.
type Post func(frame *pb.FromEngine, until <-chan time.Time) bool

// Counters are totals since the process started.
type Counters struct {
	Sent, Stored, Refused, Late, Waiting uint64
}

// Desk delivers events while it is open. One refused or unanswered event closes it: whatever comes behind is
// refused without being shown to the actor, so that nothing overtakes what was not stored.
type Desk struct {
	post    Post
	timeout time.Duration
	onPark  func(cause Cause, detail string)

	mu       sync.Mutex
	open     bool
	lastID   uint64
	waiting  map[uint64]chan bool
	idle     chan struct{} // closed when nothing waits; nil while nobody asked
	counters Counters
}

// New returns a closed desk. onPark is called once for every park, after all waiting events have failed; it must
// not block.
func New(post Post, timeout time.Duration, onPark func(Cause, string)) *Desk {
	return &Desk{post: post, timeout: timeout, onPark: onPark, waiting: make(map[uint64]chan bool)}
}

// Open lets events through again.
func (d *Desk) Open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
}

// Close refuses every further event. Events that wait for their answer keep waiting.
func (d *Desk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = false
}

// IsOpen says whether events are let through.
func (d *Desk) IsOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// Deliver gives an event an id, sends it, and returns whether the actor stored it.
func (d *Desk) Deliver(event *pb.Event) bool {
	d.mu.Lock()
	if !d.open {
		d.counters.Refused++
		d.mu.Unlock()
		return false
	}
	d.lastID++
	id := d.lastID
	answer := make(chan bool, 1)
	d.waiting[id] = answer
	d.counters.Sent++
	d.mu.Unlock()

	event.EventId = id
	event.ReceivedAtMs = time.Now().UnixMilli()
	timer := time.NewTimer(d.timeout)
	defer timer.Stop()

	stored, answered := false, false
	if d.post(wrap(event), timer.C) {
		select {
		case stored = <-answer:
			answered = true
		case <-timer.C:
		}
	}

	d.mu.Lock()
	delete(d.waiting, id)
	if stored {
		d.counters.Stored++
	} else {
		d.counters.Refused++
	}
	d.signalIdle()
	d.mu.Unlock()

	if !answered {
		d.Park(AnswerTimeout, "the actor did not answer within "+d.timeout.String())
	}
	return stored
}

// Tell sends an event that waits for no answer. Nothing is sent while the desk is closed.
func (d *Desk) Tell(event *pb.Event) {
	if !d.IsOpen() {
		return
	}
	d.Announce(event)
}

// Announce sends an event that waits for no answer, whether the desk is open or not.
func (d *Desk) Announce(event *pb.Event) {
	event.EventId = 0
	event.ReceivedAtMs = time.Now().UnixMilli()
	d.post(wrap(event), nil)
}

// Answer takes the actor's answer to an event. "Not stored" parks the desk.
func (d *Desk) Answer(id uint64, stored bool, reason string) {
	d.mu.Lock()
	answer, known := d.waiting[id]
	if !known {
		d.counters.Late++
		d.mu.Unlock()
		return
	}
	if stored {
		delete(d.waiting, id)
		answer <- true
		d.signalIdle()
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	if reason == "" {
		reason = "the actor did not store an event"
	}
	d.Park(Refused, reason)
}

// Park closes the desk, fails everything that waits and reports the cause. A closed desk ignores it.
func (d *Desk) Park(cause Cause, detail string) {
	d.mu.Lock()
	wasOpen := d.open
	d.open = false
	d.failWaiting()
	d.mu.Unlock()
	if wasOpen {
		d.onPark(cause, detail)
	}
}

// FailWaiting answers "not stored" to everything that waits.
func (d *Desk) FailWaiting() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failWaiting()
}

// WaitIdle returns when no event waits for its answer, or when ctx ends.
func (d *Desk) WaitIdle(ctx context.Context) {
	d.mu.Lock()
	if len(d.waiting) == 0 {
		d.mu.Unlock()
		return
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// Counters returns the totals so far.
func (d *Desk) Counters() Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	counters := d.counters
	counters.Waiting = uint64(len(d.waiting))
	return counters
}

func (d *Desk) failWaiting() {
	for id, answer := range d.waiting {
		delete(d.waiting, id)
		answer <- false
	}
	d.signalIdle()
}

func (d *Desk) signalIdle() {
	if d.idle != nil && len(d.waiting) == 0 {
		close(d.idle)
		d.idle = nil
	}
}

func wrap(event *pb.Event) *pb.FromEngine {
	return &pb.FromEngine{Frame: &pb.FromEngine_Event{Event: event}}
}
