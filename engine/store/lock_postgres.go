package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// lockProbe is how long the lock's connection may be silent before it is asked whether it still lives.
	lockProbe = 5 * time.Second
	// lockProbeTimeout is how long it has to answer.
	lockProbeTimeout = 5 * time.Second
)

// advisoryLock is held by a connection of its own: the server releases it when the connection ends.
type advisoryLock struct {
	mu   sync.Mutex // guards conn
	conn *pgx.Conn
	turn sync.Mutex // held by whoever wants conn next
	wake atomic.Pointer[context.CancelFunc]
}

// LockKey is the key of the advisory lock for a session's or a device's name.
func LockKey(name string) int64 {
	digest := sha256.Sum256([]byte("malote:" + name))
	return int64(binary.BigEndian.Uint64(digest[:8]))
}

// lockAdvisory connects and takes the locks of the request's session and device. The connection's application name
// tells an operator, or whoever has to break the lock, which session it belongs to.
func lockAdvisory(ctx context.Context, request Request) (*advisoryLock, error) {
	config, err := pgx.ParseConfig(request.Spec)
	if err != nil {
		return nil, ErrBadSpec
	}
	config.RuntimeParams["application_name"] = "malote-lock " + request.Session
	config.DialFunc = (&net.Dialer{Timeout: lockProbeTimeout, KeepAlive: lockProbe}).DialContext
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, &Failure{err}
	}
	l := &advisoryLock{conn: conn}
	for _, name := range []string{request.Session, request.Device} {
		if name == "" {
			continue
		}
		err := retryLocked(ctx, request.LockWait, func() (bool, error) { return l.try(ctx, name) })
		if err != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
			return nil, err
		}
	}
	return l, nil
}

func (l *advisoryLock) try(ctx context.Context, name string) (bool, error) {
	var taken bool
	err := l.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", LockKey(name)).Scan(&taken)
	return taken, err
}

// Release closes the connection, and with it ends the lock.
func (l *advisoryLock) Release() {
	ctx, cancel := context.WithTimeout(context.Background(), lockProbeTimeout)
	defer cancel()
	_ = l.conn.Close(ctx)
}

// AlsoDevice takes the device's lock too. Taking a lock that one holds already succeeds.
func (l *advisoryLock) AlsoDevice(ctx context.Context, device string) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if wake := l.wake.Load(); wake != nil {
		(*wake)()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, err := l.try(ctx, device)
	if err != nil {
		return &Failure{err}
	}
	if !taken {
		return fmt.Errorf("%w: %s", ErrLocked, device)
	}
	return nil
}

// Watch returns when the connection is gone. It notices a closed one at once and a silent one by asking.
func (l *advisoryLock) Watch() error {
	for {
		if err := l.listen(); err != nil {
			return err
		}
	}
}

func (l *advisoryLock) listen() error {
	l.turn.Lock()
	l.mu.Lock()
	defer l.mu.Unlock()
	quiet, cancel := context.WithTimeout(context.Background(), lockProbe)
	defer cancel()
	l.wake.Store(&cancel)
	l.turn.Unlock()
	if _, err := l.conn.WaitForNotification(quiet); err != nil && quiet.Err() == nil {
		return err
	}
	probe, cancelProbe := context.WithTimeout(context.Background(), lockProbeTimeout)
	defer cancelProbe()
	return l.conn.Ping(probe)
}
