package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

func session(t *testing.T, o *opened, address string) string {
	t.Helper()
	found, err := o.Device.Sessions.GetSession(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return string(found)
}

func put(t *testing.T, ctx context.Context, o *opened, address, state string) {
	t.Helper()
	if err := o.Device.Sessions.PutSession(ctx, address, []byte(state)); err != nil {
		t.Fatal(err)
	}
}

func TestADecryptionIsAloneBetweenItsReadingAndItsWriting(t *testing.T) {
	r := newRatchets()
	written := make(chan struct{})
	err := r.decrypting(t.Context(), func(ctx context.Context) error {
		go func() {
			_ = r.writing(context.Background(), func() error { close(written); return nil }, "bia:1")
		}()
		select {
		case <-written:
			t.Error("somebody wrote in the middle of a decryption")
		case <-time.After(50 * time.Millisecond):
		}
		return r.writing(ctx, func() error { return nil }, "bia:1")
	})
	if err != nil {
		t.Fatal(err)
	}
	<-written
}

func TestAnEncryptionThatWasOvertakenIsRefused(t *testing.T) {
	o := openPaired(t)
	for _, address := range []string{"bia:1", "bia:2"} {
		put(t, t.Context(), o, address, "old")
	}
	overtakers := map[string]func() error{
		"written":  func() error { return o.Device.Sessions.PutSession(t.Context(), "bia:2", []byte("newer")) },
		"deleted":  func() error { return o.Device.Sessions.DeleteSession(t.Context(), "bia:2") },
		"migrated": func() error { return o.Device.Sessions.MigratePNToLID(t.Context(), ana, anaLID) },
	}
	for name, overtake := range overtakers {
		sending := NoteSessions(t.Context())
		if _, err := o.Device.Sessions.GetManySessions(sending, []string{"bia:1", "bia:2"}); err != nil {
			t.Fatal(err)
		}
		if err := overtake(); err != nil {
			t.Fatal(name, err)
		}
		stale := map[string][]byte{"bia:1": []byte("stale"), "bia:2": []byte("stale")}
		if err := o.Device.Sessions.PutManySessions(sending, stale); !errors.Is(err, ErrSessionChanged) {
			t.Errorf("%s: %v", name, err)
		}
		if state := session(t, o, "bia:1"); state != "old" {
			t.Errorf("%s: a stale session was stored: %s", name, state)
		}
	}
	if len(o.failures) != 0 {
		t.Errorf("the store did not fail: %v", o.failures)
	}
}

func TestOneSenderMayWriteAgainWhatItWrote(t *testing.T) {
	o := openPaired(t)
	sending := NoteSessions(t.Context())
	if _, err := o.Device.Sessions.GetSession(sending, "bia:1"); err != nil {
		t.Fatal(err)
	}
	put(t, sending, o, "bia:1", "first")
	put(t, sending, o, "bia:1", "second")
	put(t, t.Context(), o, "ana:1", "another session")
	put(t, sending, o, "bia:1", "third")
	if state := session(t, o, "bia:1"); state != "third" {
		t.Error(state)
	}
}
