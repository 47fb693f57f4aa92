package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// Errors of Open, besides Failure.
var (
	ErrBadSpec   = errors.New("a store is sqlite:/absolute/path.db or a postgres:// URL")
	ErrLocked    = errors.New("another engine holds the lock of this device")
	ErrNoDevice  = errors.New("the store does not know this device")
	ErrBadDevice = errors.New("not the JID of a device")
)

// Request says what to open.
type Request struct {
	Spec     string        // sqlite:/path or postgres://…
	Device   string        // JID of the paired device; empty: the only one, that of Session, or a new one
	Session  string        // stable name of the caller's session, may be empty
	LockWait time.Duration // how long to wait for the device's lock
}

// Store is an open session store with the lock of its device.
type Store struct {
	Device *waStore.Device
	lock   lock
	db     *sql.DB
}

// lock is held for as long as the process lives.
type lock interface {
	// Watch blocks until the lock is lost, or for ever.
	Watch() error
	// Release gives the lock back.
	Release()
	// AlsoDevice extends the lock to a device that was paired just now.
	AlsoDevice(ctx context.Context, device string) error
}

// Close closes the database and gives the lock back.
func (s *Store) Close() {
	_ = s.db.Close()
	s.lock.Release()
}

// Lost blocks until the device's lock is gone and says why.
func (s *Store) Lost() error { return s.lock.Watch() }

// Open takes the device's lock, opens the database, brings its schema up to date and loads the device.
func Open(ctx context.Context, request Request, guard *Guard, log waLog.Logger) (*Store, error) {
	switch {
	case strings.HasPrefix(request.Spec, "sqlite:"):
		return openSQLite(ctx, request, guard, log)
	case strings.HasPrefix(request.Spec, "postgres://"), strings.HasPrefix(request.Spec, "postgresql://"):
		return openPostgres(ctx, request, guard, log)
	default:
		return nil, ErrBadSpec
	}
}

func openSQLite(ctx context.Context, request Request, guard *Guard, log waLog.Logger) (*Store, error) {
	path := strings.TrimPrefix(strings.TrimPrefix(request.Spec, "sqlite:"), "//")
	if !filepath.IsAbs(path) {
		return nil, ErrBadSpec
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, &Failure{err}
	}
	held, err := lockFile(ctx, path+".lock", request.LockWait)
	if err != nil {
		return nil, err
	}
	// The driver would create the file readable for everybody; it holds the device's private keys.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		held.Release()
		return nil, &Failure{err}
	}
	_ = file.Close()
	db, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		held.Release()
		return nil, &Failure{err}
	}
	// Transactions take one connection each; a second lets reads outside of one go on.
	db.SetMaxOpenConns(4)
	return load(ctx, db, "sqlite3", request, held, guard, log)
}

// sqliteDSN: transactions take the write lock at once, since one that begins as a reader and then writes fails
// without waiting ("database is locked"). synchronous=FULL: a session rolled back by a power cut would encrypt with
// keys that were used before.
func sqliteDSN(path string) string {
	parameters := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(FULL)"},
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: parameters.Encode()}).String()
}

func openPostgres(ctx context.Context, request Request, guard *Guard, log waLog.Logger) (*Store, error) {
	held, err := lockAdvisory(ctx, request)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(request.Spec)
	if err != nil {
		held.Release()
		return nil, ErrBadSpec
	}
	// An engine that freezes in a transaction would keep its rows locked, and its successor out.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(operationTimeout.Milliseconds(), 10)
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return load(ctx, db, "postgres", request, held, guard, log)
}

func load(
	ctx context.Context, db *sql.DB, dialect string, request Request, held lock, guard *Guard, log waLog.Logger,
) (*Store, error) {
	opened := &Store{db: db, lock: held}
	device, err := loadDevice(ctx, opened, dialect, request, guard, log)
	if err != nil {
		opened.Close()
		return nil, err
	}
	opened.Device = device
	return opened, nil
}

func loadDevice(
	ctx context.Context, opened *Store, dialect string, request Request, guard *Guard, log waLog.Logger,
) (*waStore.Device, error) {
	db, held := opened.db, opened.lock
	container := sqlstore.NewWithDB(db, dialect, log)
	if err := container.Upgrade(ctx); err != nil {
		return nil, &Failure{err}
	}
	sessions := sessionTable{db: db, name: request.Session}
	if err := sessions.create(ctx); err != nil {
		return nil, &Failure{err}
	}
	device, err := find(ctx, container, sessions, dialect, request.Device)
	if err != nil {
		return nil, err
	}
	if device.ID != nil {
		if err := held.AlsoDevice(ctx, device.ID.String()); err != nil {
			return nil, err
		}
	}
	// The map of identities is the container's, not the device's: a device that is not paired yet can use it too.
	device.LIDs = container.LIDMap
	guard.Install(device)
	device.Container.(*guardedContainer).onSaved = func(ctx context.Context, device *waStore.Device) error {
		if err := held.AlsoDevice(ctx, device.ID.String()); err != nil {
			return err
		}
		return sessions.remember(ctx, device.ID.String())
	}
	return device, nil
}

func find(
	ctx context.Context, container *sqlstore.Container, sessions sessionTable, dialect, wanted string,
) (*waStore.Device, error) {
	if wanted == "" {
		remembered, err := sessions.device(ctx)
		if err != nil {
			return nil, &Failure{err}
		}
		if remembered == "" {
			return findUnnamed(ctx, container, dialect)
		}
		device, err := findNamed(ctx, container, remembered)
		if errors.Is(err, ErrNoDevice) {
			return container.NewDevice(), nil
		}
		return device, err
	}
	return findNamed(ctx, container, wanted)
}

func findNamed(ctx context.Context, container *sqlstore.Container, name string) (*waStore.Device, error) {
	jid, err := types.ParseJID(name)
	if err != nil || jid.User == "" {
		return nil, fmt.Errorf("%w: %q", ErrBadDevice, name)
	}
	device, err := container.GetDevice(ctx, jid)
	if err != nil {
		return nil, &Failure{err}
	}
	if device == nil {
		return nil, ErrNoDevice
	}
	return device, nil
}

// findUnnamed returns the only device of a file. A server is shared, so there it is always a new one.
func findUnnamed(ctx context.Context, container *sqlstore.Container, dialect string) (*waStore.Device, error) {
	if dialect != "sqlite3" {
		return container.NewDevice(), nil
	}
	devices, err := container.GetAllDevices(ctx)
	if err != nil {
		return nil, &Failure{err}
	}
	switch len(devices) {
	case 0:
		return container.NewDevice(), nil
	case 1:
		return devices[0], nil
	default:
		return nil, fmt.Errorf("%w: the file holds %d, say which", ErrBadDevice, len(devices))
	}
}
