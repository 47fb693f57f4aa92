package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOneHolderOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	held, err := lockFile(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != fmt.Sprintf("%d\n", os.Getpid()) {
		t.Errorf("the holder is not named: %q", content)
	}
	if _, err := lockFile(t.Context(), path, lockRetry); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	time.AfterFunc(2*lockRetry, func() { _ = held.file.Close() })
	second, err := lockFile(t.Context(), path, time.Minute)
	if err != nil {
		t.Fatalf("waiting for the lock: %v", err)
	}
	_ = second.file.Close()
}

func TestALockThatCannotBeTaken(t *testing.T) {
	var failure *Failure
	if _, err := lockFile(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder"), 0); !errors.As(err, &failure) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := func() (bool, error) { return false, nil }
	if err := retryLocked(ended, time.Minute, never); !errors.As(err, &failure) {
		t.Errorf("%v", err)
	}
}

func TestBadSpecs(t *testing.T) {
	for _, spec := range []string{"", "sqlite:", "sqlite:relative.db", "mysql://x", "/tmp/x.db"} {
		if _, err := Open(t.Context(), Request{Spec: spec}, &Guard{}, nil); !errors.Is(err, ErrBadSpec) {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

func TestAFileThatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte("this is text, and more than a header's worth of it, so it is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	var failure *Failure
	for range 2 { // the second time too: the first has given back its lock
		if _, err := Open(t.Context(), Request{Spec: "sqlite:" + path}, &Guard{}, nil); !errors.As(err, &failure) {
			t.Errorf("%v", err)
		}
	}
}

// Whoever breaks the lock of a frozen engine computes the same key.
func TestLockKeysAreStable(t *testing.T) {
	if key := LockKey("a"); key != 4646670005810877708 || key == LockKey("b") {
		t.Errorf("%d", key)
	}
}
