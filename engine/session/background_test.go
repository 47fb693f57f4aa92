package session

import (
	"runtime"
	"syscall"
	"testing"
)

func TestWorkInBackgroundIsNiceAndLeavesOthersAsTheyWere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("niceness is a thread's on Linux only")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := niceness(t)
	inside := before
	inBackground(func() { inside = niceness(t) })
	if inside <= before && before < 19 {
		t.Errorf("niceness of the work is %d, of others %d", inside, before)
	}
	if after := niceness(t); after != before {
		t.Errorf("niceness of others went from %d to %d", before, after)
	}
}

func niceness(t *testing.T) int {
	t.Helper()
	// The system call gives 20 minus the niceness.
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return 20 - raw
}
