package intake

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	waStore "go.mau.fi/whatsmeow/store"
	waLog "go.mau.fi/whatsmeow/util/log"
)

func stanza(tag, id string) *waBinary.Node {
	return &waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{"id": id}}
}

// fill reads stanzas until the reader is stopped or all are read, and returns how many were.
func fill(i *Intake, count int) *atomic.Int64 {
	var read atomic.Int64
	go func() {
		for n := range count {
			i.Received(stanza("message", fmt.Sprint(n)))
			read.Add(1)
		}
	}()
	return &read
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for range 2000 {
		if condition() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func stopped(i *Intake) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.blocked > 0
}

func TestTheReaderStopsBeforeTheQueueIsFull(t *testing.T) {
	i := New()
	i.Open()
	read := fill(i, 5000)
	eventually(t, "the reader stops", func() bool { return stopped(i) })
	if n := read.Load(); n != softLimit {
		t.Errorf("stopped after %d", n)
	}
	if !i.Busy(time.Second) || i.Waits() != 1 {
		t.Error("a stopped reader is not counted")
	}
	take := i.Wrap("message", func(context.Context, *waBinary.Node) {})
	for n := range 5000 {
		eventually(t, "there is something to take", func() bool { return read.Load() > int64(n) })
		take(t.Context(), stanza("message", fmt.Sprint(n)))
	}
	if n := read.Load(); n != 5000 {
		t.Errorf("%d were read", n)
	}
}

func TestAReplyIsLetThroughUpToTheHardLimit(t *testing.T) {
	i := New()
	i.Open()
	read := fill(i, 5000)
	eventually(t, "the reader stops", func() bool { return stopped(i) })
	i.Sent(stanza("iq", "query"))
	eventually(t, "the reader goes on to the hard limit", func() bool { return read.Load() == hardLimit && stopped(i) })
	if hardLimit >= 2048 {
		t.Error("whatsmeow's queue is smaller")
	}
	i.Shut()
	eventually(t, "shutting releases the reader", func() bool { return read.Load() == 5000 })
}

func TestAnsweredAndOldQueriesCountForNothing(t *testing.T) {
	i := New()
	i.Open()
	i.Sent(stanza("iq", "1"))
	i.Sent(stanza("message", "2"))
	i.Sent(stanza("receipt", "3"))
	i.mu.Lock()
	if i.limit() != hardLimit || len(i.replies) != 2 {
		t.Errorf("%v", i.replies)
	}
	i.mu.Unlock()
	i.Received(stanza("iq", "1"))
	i.Received(stanza("ack", "2"))
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.limit() != softLimit {
		t.Error("an answered query counts")
	}
	i.replies["old"] = time.Now().Add(-2 * replyAge)
	if i.limit() != softLimit || len(i.replies) != 0 {
		t.Error("an old query counts")
	}
}

func TestAbortCancelsWhatIsHandled(t *testing.T) {
	i := New()
	i.Open()
	var during, after error
	handle := i.Wrap("message", func(ctx context.Context, _ *waBinary.Node) {
		during = ctx.Err()
		i.Abort()
		after = ctx.Err()
	})
	handle(t.Context(), stanza("message", "1"))
	if during != nil || !errors.Is(after, context.Canceled) {
		t.Errorf("%v, then %v", during, after)
	}
	handle(t.Context(), stanza("message", "2"))
	if i.Waits() != 0 {
		t.Error("waits")
	}
}

func TestARefusalOfAnOldConnectionLeavesTheNewOneAlone(t *testing.T) {
	i := New()
	i.Open()
	old := i.Connection()
	i.Open()
	i.AbortConnection(old)
	handled := false
	i.Wrap("message", func(context.Context, *waBinary.Node) { handled = true })(t.Context(), stanza("message", "1"))
	if !handled {
		t.Error("the new connection was shut")
	}
	i.AbortConnection(i.Connection())
	handled = false
	i.Wrap("message", func(context.Context, *waBinary.Node) { handled = true })(t.Context(), stanza("message", "2"))
	if handled {
		t.Error("the connection was not shut")
	}
}

func TestAFinishedStanzaIsNotCancelled(t *testing.T) {
	i := New()
	i.Open()
	var kept context.Context
	i.Wrap("message", func(ctx context.Context, _ *waBinary.Node) { kept = ctx })(t.Context(), stanza("message", "1"))
	i.Abort()
	if kept.Err() != nil {
		t.Error("what goes on in the background was cancelled")
	}
}

func TestAShutIntakeHandlesNothingThatCanBeLost(t *testing.T) {
	i := New()
	handled := map[string]bool{}
	for _, tag := range []string{"message", "receipt", "notification", "call", "presence", "success", "iq", "ib"} {
		i.Wrap(tag, func(_ context.Context, node *waBinary.Node) { handled[node.Tag] = true })(t.Context(), stanza(tag, "1"))
	}
	if len(handled) != 3 || !handled["success"] || !handled["iq"] || !handled["ib"] {
		t.Errorf("%v", handled)
	}
}

func TestTheEndOfAConnectionIsHandledWhenItIsRead(t *testing.T) {
	i := New()
	handled := make(chan string, 2)
	queue := i.Wrap("stream:error", func(_ context.Context, node *waBinary.Node) { handled <- node.Tag })
	noticed := false
	i.OnControl = func(*waBinary.Node) { noticed = true }
	node := stanza("stream:error", "")
	i.Received(node)
	if !noticed || <-handled != "stream:error" {
		t.Error("not handled at once")
	}
	queue(t.Context(), node)
	if len(handled) != 0 {
		t.Error("handled again from the queue")
	}
}

func TestWaitIdle(t *testing.T) {
	i := New()
	i.Open()
	release, running := make(chan struct{}), make(chan struct{})
	go i.Wrap("message", func(context.Context, *waBinary.Node) {
		close(running)
		<-release
	})(context.Background(), &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "7", "offline": "1"}})
	<-running
	if !i.IsOffline("7") || i.IsOffline("8") {
		t.Error("the offline queue's stanza is not known")
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	i.WaitIdle(short)
	if short.Err() == nil {
		t.Error("idle while handling")
	}
	close(release)
	i.WaitIdle(t.Context())
}

func TestTheHandlersOfThisWhatsmeowCanBeIntercepted(t *testing.T) {
	client := whatsmeow.NewClient(&waStore.Device{}, waLog.Noop)
	seen := map[string]int{}
	err := Intercept(client, func(tag string, h Handler) Handler {
		seen[tag]++
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	for tag := range queued {
		if seen[tag] != 1 {
			t.Errorf("%s has no handler: %v", tag, seen)
		}
	}
	if seen[failure] != 1 || seen[streamError] != 1 {
		t.Errorf("%v", seen)
	}
}

func TestTheLoggersOfThisWhatsmeowCarryStanzas(t *testing.T) {
	i := New()
	i.Open()
	log := i.TapLogger(waLog.Noop)
	log.Sub("Recv").Debugf("%s", stanza("message", "1"))
	log.Sub("Send").Debugf("%s", stanza("iq", "2"))
	log.Sub("Other").Debugf("%s", stanza("message", "3"))
	if i.waiting != 1 || len(i.replies) != 1 {
		t.Errorf("%d wait, %v", i.waiting, i.replies)
	}
}
