package session

import (
	"syscall"
	"time"
)

// sleep puts this thread to sleep. A goroutine's sleep of less than a millisecond takes one or more.
func sleep(duration time.Duration) {
	left := syscall.NsecToTimespec(duration.Nanoseconds())
	_ = syscall.Nanosleep(&left, nil)
}
