package session

import (
	"runtime"
	"syscall"
)

// modest is the niceness of work that nobody waits for, about a tenth of what messages get where both want a processor.
const modest = 10

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
