// Package intake watches the stanzas that come from WhatsApp: how many wait, which one is being handled.
//
// whatsmeow reads stanzas into a queue of 2,048. When that overflows it carries on with goroutines, and the order
// within a chat is lost. The intake therefore stops the reader before that happens. It also gives every stanza a
// context of its own: cancelling it keeps whatsmeow from acknowledging the stanza, whatever its handler returned.
package intake

import (
	"context"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const (
	// softLimit is how many stanzas may wait while nobody expects a reply from WhatsApp.
	softLimit = 1024
	// hardLimit is how many may wait while somebody does: the reply is behind them in the stream, and the handler
	// of a stanza may be the one who expects it. It stays below whatsmeow's queue, with room for server queries,
	// which are not counted.
	hardLimit = 1900
	// replyAge is when an unanswered query no longer counts. whatsmeow's own limit is 75 s.
	replyAge = 90 * time.Second
)

// queued are the stanzas that pass through whatsmeow's queue and carry something that can be lost or pile up.
var queued = map[string]bool{
	"message": true, "receipt": true, "notification": true, "call": true, "status": true, "appdata": true,
	"chatstate": true, "presence": true, "ib": true,
}

// losable are those that are left unacknowledged, and so come again, when they arrive while the intake is shut.
var losable = map[string]bool{
	"message": true, "receipt": true, "notification": true, "call": true, "status": true, "appdata": true,
	"chatstate": true, "presence": true,
}

// Stanzas about the connection itself. WhatsApp closes the connection behind them, and whatsmeow drops what is still
// in its queue then, so these do not wait there: they are handled as soon as they are read.
const (
	failure     = "failure"
	streamError = "stream:error"
)

// Handler handles one stanza.
type Handler func(ctx context.Context, node *waBinary.Node)

// Intake is safe for concurrent use.
type Intake struct {
	// OnControl is told of stanzas about the connection itself as soon as they are read. Set before the first one.
	OnControl func(node *waBinary.Node)

	mu       sync.Mutex
	changed  *sync.Cond
	shut     bool
	opened   uint64
	waiting  int
	replies  map[string]time.Time
	blocked  int
	handling map[*handled]struct{}
	waits    uint64
	progress time.Time
	control  map[string]Handler
}

type handled struct {
	node   *waBinary.Node
	cancel context.CancelFunc
}

// New returns a shut intake.
func New() *Intake {
	i := &Intake{
		shut:     true,
		replies:  make(map[string]time.Time),
		handling: make(map[*handled]struct{}),
		control:  make(map[string]Handler),
	}
	i.changed = sync.NewCond(&i.mu)
	return i
}

// Open starts a new connection: nothing waits.
func (i *Intake) Open() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shut = false
	i.opened++
	i.waiting = 0
	clear(i.replies)
	i.changed.Broadcast()
}

// Shut lets no further stanza be handled and releases the reader.
func (i *Intake) Shut() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shut = true
	i.changed.Broadcast()
}

// Received is told of every stanza before it is queued, on the goroutine that reads them. It blocks while too many
// wait.
func (i *Intake) Received(node *waBinary.Node) {
	if h := i.control[node.Tag]; h != nil {
		if i.OnControl != nil {
			i.OnControl(node)
		}
		go h(context.Background(), node)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if id, ok := node.Attrs["id"].(string); ok && (node.Tag == "iq" || node.Tag == "ack") {
		delete(i.replies, id)
	}
	if !queued[node.Tag] {
		return
	}
	if !i.shut && i.waiting >= i.limit() {
		i.waits++
		i.blocked++
		for !i.shut && i.waiting >= i.limit() {
			i.changed.Wait()
		}
		i.blocked--
	}
	i.waiting++
}

// Sent is told of every stanza that is sent, to know which replies are expected.
func (i *Intake) Sent(node *waBinary.Node) {
	if node.Tag != "iq" && node.Tag != "message" {
		return
	}
	id, ok := node.Attrs["id"].(string)
	if !ok {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.replies[id] = time.Now()
	i.changed.Broadcast()
}

// limit must be called with mu held.
func (i *Intake) limit() int {
	for id, sent := range i.replies {
		if time.Since(sent) < replyAge {
			return hardLimit
		}
		delete(i.replies, id)
	}
	return softLimit
}

// Wrap returns a handler for a kind of stanza that keeps the books for h. Call it before the first stanza is read.
func (i *Intake) Wrap(tag string, h Handler) Handler {
	if tag == failure || tag == streamError {
		i.control[tag] = h
		return func(context.Context, *waBinary.Node) {}
	}
	return i.wrap(h)
}

func (i *Intake) wrap(h Handler) Handler {
	return func(ctx context.Context, node *waBinary.Node) {
		ctx, current := i.begin(ctx, node)
		if current == nil {
			return
		}
		defer i.end(current)
		h(ctx, node)
	}
}

func (i *Intake) begin(ctx context.Context, node *waBinary.Node) (context.Context, *handled) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.progress = time.Now()
	if queued[node.Tag] && i.waiting > 0 {
		i.waiting--
		i.changed.Broadcast()
	}
	if i.shut && losable[node.Tag] {
		return ctx, nil
	}
	// Not cancelled at the end: whatsmeow goes on with goroutines of its own under this context.
	ctx, cancel := context.WithCancel(ctx)
	current := &handled{node: node, cancel: cancel}
	i.handling[current] = struct{}{}
	return ctx, current
}

func (i *Intake) end(current *handled) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.handling, current)
	i.changed.Broadcast()
}

// Connection returns the number of the connection that is, or was last, open.
func (i *Intake) Connection() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.opened
}

// Abort shuts the intake and cancels what is being handled, so that it is not acknowledged.
func (i *Intake) Abort() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.abort()
}

// AbortConnection is Abort, unless another connection has been opened since the one with this number.
func (i *Intake) AbortConnection(number uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened == number {
		i.abort()
	}
}

func (i *Intake) abort() {
	i.shut = true
	for current := range i.handling {
		current.cancel()
	}
	i.changed.Broadcast()
}

// WaitIdle returns when no stanza is being handled, or when ctx ends.
func (i *Intake) WaitIdle(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.changed.Broadcast()
	})
	defer stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.handling) > 0 && ctx.Err() == nil {
		i.changed.Wait()
	}
}

// IsOffline says whether the stanza with this id that is being handled came from WhatsApp's offline queue.
func (i *Intake) IsOffline(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for current := range i.handling {
		if current.node.Attrs["id"] == id {
			_, offline := current.node.Attrs["offline"]
			return offline
		}
	}
	return false
}

// Category returns the category of the message with this id that is being handled, or an empty string.
func (i *Intake) Category(id string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for current := range i.handling {
		if current.node.Tag == "message" && current.node.Attrs["id"] == id {
			return current.node.AttrGetter().OptionalString("category")
		}
	}
	return ""
}

// NotificationID returns the id of the notification from this JID that is being handled, or an empty string.
func (i *Intake) NotificationID(from types.JID) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for current := range i.handling {
		if current.node.Tag == "notification" && current.node.Attrs["from"] == from {
			id, _ := current.node.Attrs["id"].(string)
			return id
		}
	}
	return ""
}

// Busy says whether stanzas have been handled, or held back, within the last period. Queries that time out then
// are no evidence of a dead connection.
func (i *Intake) Busy(period time.Duration) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.blocked > 0 || (i.waiting > 0 && time.Since(i.progress) < period)
}

// Waits returns how often the reader was stopped.
func (i *Intake) Waits() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.waits
}
