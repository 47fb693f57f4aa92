package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

var (
	ana    = types.JID{User: "5511900000001", Device: 1, Server: types.DefaultUserServer}
	anaLID = types.JID{User: "777", Device: 1, Server: types.HiddenUserServer}
)

type opened struct {
	*Store
	path     string
	failures []error
}

// openPaired opens a file and stores a paired device in it, as whatsmeow does.
func openPaired(t *testing.T) *opened {
	t.Helper()
	o := &opened{path: filepath.Join(t.TempDir(), "session.db")}
	guard := &Guard{OnFailure: func(err error) { o.failures = append(o.failures, err) }}
	store, err := Open(t.Context(), Request{Spec: "sqlite:" + o.path, Session: "s"}, guard, waLog.Noop)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	o.Store = store
	if store.Device.ID != nil {
		t.Fatal("a new file has a device")
	}
	id := ana
	store.Device.ID = &id
	store.Device.LID = anaLID
	store.Device.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{}, AccountSignature: make([]byte, 64), AccountSignatureKey: make([]byte, 32), DeviceSignature: make([]byte, 64),
	}
	if err := store.Device.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *opened) exec(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestTheGuardSurvivesPairing(t *testing.T) {
	o := openPaired(t)
	if _, ok := o.Device.EventBuffer.(*guardedStores); !ok {
		t.Error("pairing replaced the guarded stores")
	}
	if _, ok := o.Device.LIDs.(*guardedLIDs); !ok {
		t.Error("pairing replaced the guarded map of identities")
	}
	if _, ok := o.Device.Container.(*guardedContainer); !ok {
		t.Error("pairing replaced the guarded container")
	}
	if _, nested := o.Device.EventBuffer.(*guardedStores).AllSessionSpecificStores.(*guardedStores); nested {
		t.Error("guarded twice")
	}
	if len(o.failures) != 0 {
		t.Error(o.failures)
	}
}

func TestADeviceIsFoundAgain(t *testing.T) {
	o := openPaired(t)
	o.Close()
	guard := &Guard{OnFailure: func(err error) { t.Error(err) }}
	for name, request := range map[string]Request{
		"as the only one": {},
		"by session":      {Session: "s"},
		"by JID":          {Device: ana.String()},
	} {
		request.Spec = "sqlite:" + o.path
		again, err := Open(t.Context(), request, guard, waLog.Noop)
		if err != nil {
			t.Fatal(name, err)
		}
		if again.Device.GetJID() != ana {
			t.Errorf("%s: %v", name, again.Device.ID)
		}
		again.Close()
	}
	_, err := Open(t.Context(), Request{Spec: "sqlite:" + o.path, Device: "999:1@s.whatsapp.net"}, guard, waLog.Noop)
	if !errors.Is(err, ErrNoDevice) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestADeletedDeviceIsGone(t *testing.T) {
	o := openPaired(t)
	deleted := Deleted(o.Device)
	if err := o.Device.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-deleted
	if _, err := o.Device.Sessions.GetSession(t.Context(), "x"); !errors.Is(err, waStore.ErrDeviceDeleted) {
		t.Errorf("%v", err)
	}
	if len(o.failures) != 0 {
		t.Error("a deleted device is no failure", o.failures)
	}
}

func TestADeviceMayBeDeletedTwice(t *testing.T) {
	o := openPaired(t)
	container, again := o.Device.Container, *o.Device
	if err := errors.Join(container.DeleteDevice(t.Context(), o.Device), container.DeleteDevice(t.Context(), &again)); err != nil {
		t.Fatal(err)
	}
	again.ID = nil // as whatsmeow leaves it behind
	if err := container.DeleteDevice(t.Context(), &again); err != nil || len(o.failures) != 0 {
		t.Error("what is deleted already is no failure", err, o.failures)
	}
}

func TestMissingRowsAndBadArgumentsAreNoFailures(t *testing.T) {
	o := openPaired(t)
	ctx := t.Context()
	if _, _, err := o.Device.EventBuffer.GetOutgoingEvent(ctx, ana, anaLID, "none"); err == nil {
		t.Error("found nothing without saying so")
	}
	if session, err := o.Device.Sessions.GetSession(ctx, "nobody"); session != nil || err != nil {
		t.Errorf("%v, %v", session, err)
	}
	if _, err := o.Device.LIDs.GetLIDForPN(ctx, types.NewJID("1", types.GroupServer)); err == nil {
		t.Error("a group has a LID")
	}
	if err := o.Device.LIDs.PutLIDMapping(ctx, ana, ana); err == nil {
		t.Error("a phone number is its own LID")
	}
	if len(o.failures) != 0 {
		t.Error(o.failures)
	}
}

func TestABrokenCiphertextIsNoFailure(t *testing.T) {
	o := openPaired(t)
	broken := errors.New("bad mac")
	err := o.Device.EventBuffer.DoDecryptionTxn(t.Context(), func(context.Context) error { return broken })
	if !errors.Is(err, broken) || len(o.failures) != 0 {
		t.Errorf("%v, %v", err, o.failures)
	}
}

func TestACallerThatGaveUpIsNoFailure(t *testing.T) {
	o := openPaired(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Device.Sessions.GetSession(ctx, "x"); err == nil || len(o.failures) != 0 {
		t.Errorf("%v, %v", err, o.failures)
	}
}

func TestSQLiteFailures(t *testing.T) {
	hash := [32]byte{1}
	read := func(ctx context.Context, d *waStore.Device) error {
		_, err := d.EventBuffer.GetBufferedEvent(ctx, hash)
		return err
	}
	write := func(ctx context.Context, d *waStore.Device) error {
		return d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			return d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("x"), time.Now())
		})
	}
	for name, c := range map[string]struct {
		harm func(t *testing.T, o *opened)
		try  func(context.Context, *waStore.Device) error
	}{
		"a table is missing": {func(t *testing.T, o *opened) { o.exec(t, "DROP TABLE whatsmeow_event_buffer") }, read},
		"the map of identities is missing": {
			func(t *testing.T, o *opened) { o.exec(t, "DROP TABLE whatsmeow_lid_map") },
			func(ctx context.Context, d *waStore.Device) error {
				_, err := d.LIDs.GetLIDForPN(ctx, types.NewJID("5512", types.DefaultUserServer))
				return err
			},
		},
		"sessions cannot be migrated": {
			func(t *testing.T, o *opened) { o.exec(t, "ALTER TABLE whatsmeow_sessions RENAME TO hidden") },
			func(ctx context.Context, d *waStore.Device) error {
				return d.Sessions.MigratePNToLID(ctx, types.NewJID("5513", types.DefaultUserServer), types.NewJID("888", types.HiddenUserServer))
			},
		},
		"a trigger refuses": {
			func(t *testing.T, o *opened) {
				o.exec(t, "CREATE TRIGGER no BEFORE INSERT ON whatsmeow_event_buffer BEGIN SELECT RAISE(ABORT, 'disk full'); END")
			}, write,
		},
		"the database is locked": {
			func(t *testing.T, o *opened) {
				db, err := sql.Open("sqlite", o.path)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				db.SetMaxOpenConns(1)
				if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
					t.Fatal(err)
				}
			}, write,
		},
		"the database is closed": {func(_ *testing.T, o *opened) { _ = o.db.Close() }, write},
	} {
		t.Run(name, func(t *testing.T) {
			o := openPaired(t)
			c.harm(t, o)
			err := c.try(t.Context(), o.Device)
			var failure *Failure
			if !errors.As(err, &failure) {
				t.Errorf("returned %v", err)
			}
			if len(o.failures) != 1 {
				t.Errorf("reported %v", o.failures)
			}
		})
	}
}

func TestASecretThatIsNotThereIsNoFailure(t *testing.T) {
	o := openPaired(t)
	secrets := o.Device.MsgSecrets
	if err := secrets.PutMessageSecret(t.Context(), anaLID, ana, "M1", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	found, sender, err := secrets.GetMessageSecret(t.Context(), anaLID, ana, "M1")
	if err != nil || string(found) != "secret" || sender != ana.ToNonAD() {
		t.Errorf("%q of %v, %v", found, sender, err)
	}
	for _, id := range []string{"M2", "M\x001", "M\xff"} {
		if found, _, err := secrets.GetMessageSecret(t.Context(), anaLID, ana, id); found != nil || err != nil {
			t.Errorf("%q: %q, %v", id, found, err)
		}
	}
	if len(o.failures) != 0 {
		t.Error(o.failures)
	}
	o.exec(t, "DROP TABLE whatsmeow_message_secrets")
	if _, _, err := secrets.GetMessageSecret(t.Context(), anaLID, ana, "M1"); err == nil || len(o.failures) != 1 {
		t.Errorf("a store that failed was not reported: %v, %v", err, o.failures)
	}
}

func TestTextsThatNoDatabaseHolds(t *testing.T) {
	if !storable("3EB0ABC", "olá", "") || storable("a\x00b") || storable("fine", "\xff") {
		t.Error("wrong")
	}
	o := openPaired(t)
	if _, err := o.Device.LIDs.GetPNForLID(t.Context(), types.NewJID("7\x007", types.HiddenUserServer)); err == nil {
		t.Error("the store was asked for a LID that it cannot hold")
	}
	if _, err := o.Device.LIDs.GetLIDForPN(t.Context(), types.NewJID("\xff", types.DefaultUserServer)); err == nil {
		t.Error("the store was asked for a number that it cannot hold")
	}
	if len(o.failures) != 0 {
		t.Error(o.failures)
	}
}
