package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockRetry is the pause between two attempts to take a lock.
const lockRetry = 50 * time.Millisecond

// fileLock is an exclusive flock. The kernel releases it when the process ends, however it ends.
type fileLock struct{ file *os.File }

// lockFile takes the lock of path, trying for as long as wait. The file's content is the holder's process id, for
// whoever has to break the lock of a frozen one.
func lockFile(ctx context.Context, path string, wait time.Duration) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &Failure{err}
	}
	err = retryLocked(ctx, wait, func() (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	holder := fmt.Appendf(nil, "%d\n", os.Getpid())
	if err := file.Truncate(0); err != nil {
		return nil, &Failure{err}
	}
	if _, err := file.WriteAt(holder, 0); err != nil {
		return nil, &Failure{err}
	}
	return &fileLock{file}, nil
}

// Watch never returns: only the end of the process releases the lock.
func (l *fileLock) Watch() error {
	select {}
}

// Release closes the file, and with it ends the lock.
func (l *fileLock) Release() { _ = l.file.Close() }

// AlsoDevice does nothing: the file holds one device.
func (l *fileLock) AlsoDevice(context.Context, string) error { return nil }

// retryLocked calls attempt until it succeeds, fails, or wait is over.
func retryLocked(ctx context.Context, wait time.Duration, attempt func() (bool, error)) error {
	deadline := time.Now().Add(wait)
	for {
		taken, err := attempt()
		if err != nil {
			return &Failure{err}
		}
		if taken {
			return nil
		}
		if !time.Now().Before(deadline) {
			return ErrLocked
		}
		select {
		case <-ctx.Done():
			return &Failure{ctx.Err()}
		case <-time.After(lockRetry):
		}
	}
}
