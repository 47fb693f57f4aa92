package session

import (
	"runtime"
	"syscall"
	"time"
)

// modest is the niceness of work that nobody waits for, about a tenth of what messages get where both want a processor.
const modest = 10

const (
	// stretch is how many bytes such work takes in or gives out between two rests: a fraction of a millisecond of work.
	stretch = 64 << 10
	// rest is short, and long enough for everything else that waits for the same processor. Niceness alone is not
	// enough: Linux counts it only among the processes of one session or container, and looks who is next only when its
	// clock ticks, each 4 or 10 ms.
	rest = 100 * time.Microsecond
)

// breather has work rest after every stretch.
type breather struct {
	done int // bytes since the last rest
	rest func()
}

func newBreather() breather {
	return breather{rest: func() { sleep(rest) }}
}

func (b *breather) worked(bytes int) {
	if b.done += bytes; b.done >= stretch {
		b.done = 0
		b.rest()
	}
}

// inBackground runs work with less claim to the processors than everything else here, and waits for it. To decrypt a
// file takes a processor for tens of milliseconds, to take in a message for one. A panic of the work is the caller's.
func inBackground(work func()) {
	done := make(chan struct{})
	var cause any
	go func() {
		defer close(done)
		defer func() { cause = recover() }()
		if runtime.GOOS == "linux" { // elsewhere it would be the whole process
			// Never unlocked: the thread ends with this goroutine, and its niceness with it.
			runtime.LockOSThread()
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, modest)
		}
		work()
	}()
	<-done
	if cause != nil {
		panic(cause)
	}
}
