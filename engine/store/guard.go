// Package store opens the session store of a device, guards it and holds the lock that makes its user the only one.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// operationTimeout bounds one operation on the session store, or one transaction.
const operationTimeout = 15 * time.Second

// Failure is an error of the session store itself, as opposed to one about what is in it.
type Failure struct{ Err error }

// Error says what failed.
func (f *Failure) Error() string { return "session store: " + f.Err.Error() }

// Unwrap returns the store's own error.
func (f *Failure) Unwrap() error { return f.Err }

// Guard stands between whatsmeow and its stores. whatsmeow takes a store's error while it decrypts for a broken
// message, which it acknowledges, and ignores others. The guard reports each of them before whatsmeow sees it.
type Guard struct {
	// OnFailure is called, on the goroutine of the failed operation, before the error is returned.
	OnFailure func(error)
}

// Install puts the guard around the stores of a device, which whatsmeow replaces when the device is paired.
func (g *Guard) Install(device *waStore.Device) {
	if device.Deleted {
		return
	}
	if inner, ok := device.EventBuffer.(waStore.AllSessionSpecificStores); ok {
		if _, guarded := inner.(*guardedStores); !guarded {
			device.SetAllStores(&guardedStores{AllSessionSpecificStores: inner, guard: g, ratchets: newRatchets()})
		}
	}
	if device.LIDs != nil {
		if _, guarded := device.LIDs.(*guardedLIDs); !guarded {
			device.LIDs = &guardedLIDs{LIDStore: device.LIDs, guard: g}
		}
	}
	if _, guarded := device.Container.(*guardedContainer); !guarded && device.Container != nil {
		device.Container = &guardedContainer{DeviceContainer: device.Container, guard: g, deleted: make(chan struct{})}
	}
}

// Deleted returns a channel that is closed when the device has been deleted from the store.
func Deleted(device *waStore.Device) <-chan struct{} {
	if container, ok := device.Container.(*guardedContainer); ok {
		return container.deleted
	}
	never := make(chan struct{})
	return never
}

// check reports err if the store failed. Errors about a missing row, a deleted device or a caller that gave up are
// answers, not failures.
func (g *Guard) check(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, waStore.ErrDeviceDeleted) {
		return err
	}
	var known *Failure
	if errors.As(err, &known) {
		return err
	}
	failure := &Failure{err}
	g.OnFailure(failure)
	return failure
}

func (g *Guard) do(ctx context.Context, operation func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return g.check(ctx, operation(bounded))
}

// get is do for operations with a result.
func get[T any](ctx context.Context, g *Guard, operation func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	result, err := operation(bounded)
	return result, g.check(ctx, err)
}

// guardedContainer installs the guard again after whatsmeow initialised a device that was just paired.
type guardedContainer struct {
	waStore.DeviceContainer
	guard   *Guard
	onSaved func(ctx context.Context, device *waStore.Device) error
	deleted chan struct{}
	gone    sync.Mutex // held while the device is deleted
}

func (c *guardedContainer) PutDevice(ctx context.Context, device *waStore.Device) error {
	err := c.guard.do(ctx, func(ctx context.Context) error {
		if err := c.DeviceContainer.PutDevice(ctx, device); err != nil {
			return err
		}
		if c.onSaved != nil {
			return c.onSaved(ctx, device)
		}
		return nil
	})
	device.Container = c
	c.guard.Install(device)
	return err
}

// DeleteDevice may be called again, also at the same time: whatsmeow handles the end of a connection anew that it finds in
// its queue behind it.
func (c *guardedContainer) DeleteDevice(ctx context.Context, device *waStore.Device) error {
	c.gone.Lock()
	defer c.gone.Unlock()
	select {
	case <-c.deleted:
		return nil
	default:
	}
	err := c.guard.do(ctx, func(ctx context.Context) error { return c.DeviceContainer.DeleteDevice(ctx, device) })
	if err == nil {
		close(c.deleted)
	}
	return err
}

// guardedLIDs is also asked about JIDs that are neither phone numbers nor LIDs; the store's complaint about those is
// no failure.
type guardedLIDs struct {
	waStore.LIDStore
	guard *Guard
}

func (l *guardedLIDs) PutManyLIDMappings(ctx context.Context, mappings []waStore.LIDMapping) error {
	for _, mapping := range mappings {
		if !isPair(mapping.LID, mapping.PN) {
			return l.LIDStore.PutManyLIDMappings(ctx, mappings)
		}
	}
	return l.guard.do(ctx, func(ctx context.Context) error { return l.LIDStore.PutManyLIDMappings(ctx, mappings) })
}

func (l *guardedLIDs) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	if !isPair(lid, pn) {
		return l.LIDStore.PutLIDMapping(ctx, lid, pn)
	}
	return l.guard.do(ctx, func(ctx context.Context) error { return l.LIDStore.PutLIDMapping(ctx, lid, pn) })
}

func (l *guardedLIDs) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	if lid.Server != types.HiddenUserServer || !storable(lid.User) {
		return types.EmptyJID, fmt.Errorf("%q is not a LID", lid)
	}
	return get(ctx, l.guard, func(ctx context.Context) (types.JID, error) { return l.LIDStore.GetPNForLID(ctx, lid) })
}

func (l *guardedLIDs) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	if pn.Server != types.DefaultUserServer || !storable(pn.User) {
		return types.EmptyJID, fmt.Errorf("%q is not a phone number", pn)
	}
	return get(ctx, l.guard, func(ctx context.Context) (types.JID, error) { return l.LIDStore.GetLIDForPN(ctx, pn) })
}

func (l *guardedLIDs) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	return get(ctx, l.guard, func(ctx context.Context) (map[types.JID]types.JID, error) {
		return l.LIDStore.GetManyLIDsForPNs(ctx, pns)
	})
}

func isPair(lid, pn types.JID) bool {
	return lid.Server == types.HiddenUserServer && pn.Server == types.DefaultUserServer
}

// storable says whether texts that came with a message can be looked for. PostgreSQL fails at what is not UTF-8, or has a
// zero in it, which would be taken for a failure of the store: whoever sends such a message would park its reader for good.
func storable(texts ...string) bool {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return false
		}
	}
	return true
}
