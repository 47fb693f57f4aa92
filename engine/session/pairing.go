package session

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	pb "malote.dev/engine/protocol"
)

// How long WhatsApp accepts a code: the first of a connection longer than the others.
const (
	firstCodeValid = 60 * time.Second
	nextCodeValid  = 20 * time.Second
)

// What WhatsApp's server accepts as the name of a browser in a pairing by phone code.
const phonePairingClient = "Chrome (Linux)"

// pairing shows one code after another while a connection is not paired.
type pairing struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	ready  chan struct{} // closed when WhatsApp has sent codes
	codes  []string      // the current one and those to come
	rotate chan struct{}
}

func (p *pairing) start(codes []string) (context.Context, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.codes = codes
	p.rotate = make(chan struct{}, 1)
	if p.ready == nil {
		p.ready = make(chan struct{})
	}
	select {
	case <-p.ready:
	default:
		close(p.ready)
	}
	return ctx, p.rotate
}

func (p *pairing) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
		p.cancel = nil
	}
	p.codes = nil
	p.ready = nil
}

func (p *pairing) wait(ctx context.Context) bool {
	p.mu.Lock()
	if p.ready == nil {
		p.ready = make(chan struct{})
	}
	ready := p.ready
	p.mu.Unlock()
	select {
	case <-ready:
		return true
	case <-ctx.Done():
		return false
	}
}

// current returns the code to show and how many follow.
func (p *pairing) current() (code string, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) == 0 {
		return "", 0
	}
	return p.codes[0], len(p.codes) - 1
}

func (p *pairing) next() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) > 0 {
		p.codes = p.codes[1:]
	}
}

// replaceSecret puts a new secret into all codes, the shown one included.
func (p *pairing) replaceSecret(change *events.RotateADVSecret) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, code := range p.codes {
		p.codes[i] = strings.Replace(code, change.OldSecret, change.NewSecret, 1)
	}
	if p.rotate != nil {
		select {
		case p.rotate <- struct{}{}:
		default:
		}
	}
}

// show calls emit with one code after another. It returns true when none is left and false when ctx ended.
func (p *pairing) show(ctx context.Context, rotated <-chan struct{}, first, next time.Duration, emit func(*pb.Qr)) bool {
	valid := first
	for ctx.Err() == nil {
		code, left := p.current()
		if code == "" {
			return true
		}
		emit(&pb.Qr{Code: code, ValidMs: uint32(valid.Milliseconds()), Left: uint32(left)})
		select {
		case <-time.After(valid):
			p.next()
			valid = next
		case <-rotated:
		case <-ctx.Done():
		}
	}
	return false
}

// showCodes announces code after code until one was used, none is left or the connection has ended.
func (s *Session) showCodes(codes []string) {
	ctx, rotated := s.pairing.start(codes)
	go func() {
		exhausted := s.pairing.show(ctx, rotated, firstCodeValid, nextCodeValid, func(code *pb.Qr) {
			s.announce(&pb.Event{Event: &pb.Event_Qr{Qr: code}})
		})
		if exhausted {
			s.expirePairing(ctx)
		}
	}()
}

func (s *Session) expirePairing(ctx context.Context) {
	s.connection.Lock()
	defer s.connection.Unlock()
	if ctx.Err() != nil {
		return
	}
	s.hangUp()
	s.pairFailed("expired", "no code was scanned in time")
}

func (s *Session) pairFailed(code, message string) {
	s.announce(&pb.Event{Event: &pb.Event_PairFailed{PairFailed: &pb.PairFailed{Code: code, Message: message}}})
}

// PairPhone asks WhatsApp for a code that the phone's owner types in. phone: digits with country code.
func (s *Session) PairPhone(ctx context.Context, phone string) (string, error) {
	if !s.device.GetJID().IsEmpty() {
		return "", fail("already_paired", "this device is paired")
	}
	if !s.client.IsConnected() {
		return "", fail("not_connected", "connect before asking for a pairing code")
	}
	if !s.pairing.wait(ctx) {
		return "", fail("timeout", "WhatsApp did not offer to pair")
	}
	return s.client.PairPhone(ctx, phone, true, whatsmeow.PairClientChrome, phonePairingClient)
}
