package store

import (
	"context"
	"errors"
	"sync"
)

// ErrSessionChanged is returned to a sender whose message was encrypted from a state of a Signal session that is no
// longer the current one. Nothing was sent: it can be encrypted again.
var ErrSessionChanged = errors.New("the session changed while a message was encrypted")

// ratchets keeps those who read a Signal session, take a step and write it back from undoing each other's steps.
// whatsmeow decrypts and encrypts at the same time and locks nothing. With a database that does not lock either
// (PostgreSQL), a decryption would put back the chain from which a message was encrypted meanwhile: the next message
// is encrypted with the same key, and its reader ignores it for good.
//
// A decryption is alone from its first reading to its writing, which is short. An encryption may wait for the network
// in between (keys of a new device), so it is not: what it read is noted, and its writing refused if that has changed.
type ratchets struct {
	mu       sync.Mutex // held by a decryption, or for a single writing
	states   sync.Mutex // guards what follows
	versions map[string]uint64
	all      uint64
}

func newRatchets() *ratchets { return &ratchets{versions: map[string]uint64{}} }

// decryption is what a transaction that decrypts has read: sessions by address.
type decryption struct {
	of   *ratchets
	read map[string][]byte
}

type decryptionKey struct{}

// notes are the versions of the sessions that an encryption has read.
type notes map[string]uint64

type notesKey struct{}

// NoteSessions returns a context for sending one message: if a session that was read with it has changed by the time
// it is written, the writing fails with ErrSessionChanged.
func NoteSessions(ctx context.Context) context.Context {
	return context.WithValue(ctx, notesKey{}, notes{})
}

// decrypting runs a transaction alone.
func (r *ratchets) decrypting(ctx context.Context, transaction func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return transaction(context.WithValue(ctx, decryptionKey{}, &decryption{of: r, read: map[string][]byte{}}))
}

// reading notes that sessions are about to be read.
func (r *ratchets) reading(ctx context.Context, addresses ...string) {
	noted, ok := ctx.Value(notesKey{}).(notes)
	if !ok {
		return
	}
	r.states.Lock()
	defer r.states.Unlock()
	for _, address := range addresses {
		if _, known := noted[address]; !known {
			noted[address] = r.version(address)
		}
	}
}

// writing writes sessions, unless others have written what was read before.
func (r *ratchets) writing(ctx context.Context, write func() error, addresses ...string) error {
	defer r.enter(ctx)()
	if r.changed(ctx, addresses) {
		return ErrSessionChanged
	}
	err := write()
	r.states.Lock()
	defer r.states.Unlock()
	noted, noting := ctx.Value(notesKey{}).(notes)
	for _, address := range addresses {
		r.versions[address]++
		if noting {
			noted[address] = r.version(address)
		}
	}
	return err
}

// replacing deletes or moves sessions, whichever they are.
func (r *ratchets) replacing(ctx context.Context, replace func() error) error {
	defer r.enter(ctx)()
	r.states.Lock()
	r.all++
	r.states.Unlock()
	return replace()
}

// enter waits for decryptions under way, unless it is part of one.
func (r *ratchets) enter(ctx context.Context) (leave func()) {
	if r.current(ctx) != nil {
		return func() {}
	}
	r.mu.Lock()
	return r.mu.Unlock
}

// current returns the decryption that ctx is part of, if any.
func (r *ratchets) current(ctx context.Context) *decryption {
	if found, ok := ctx.Value(decryptionKey{}).(*decryption); ok && found.of == r {
		return found
	}
	return nil
}

// hasRead remembers what a decryption starts from.
func (r *ratchets) hasRead(ctx context.Context, address string, session []byte) {
	if decryption := r.current(ctx); decryption != nil {
		decryption.read[address] = session
	}
}

// mended returns what a decryption has made of a session, without the damage that it has done on its way.
func (r *ratchets) mended(ctx context.Context, address string, session []byte) []byte {
	decryption := r.current(ctx)
	if decryption == nil || decryption.read[address] == nil {
		return session
	}
	return mend(decryption.read[address], session)
}

func (r *ratchets) changed(ctx context.Context, addresses []string) bool {
	noted, ok := ctx.Value(notesKey{}).(notes)
	if !ok {
		return false
	}
	r.states.Lock()
	defer r.states.Unlock()
	for _, address := range addresses {
		if before, read := noted[address]; read && before != r.version(address) {
			return true
		}
	}
	return false
}

// version must be called with states held.
func (r *ratchets) version(address string) uint64 { return r.versions[address] + r.all }
