//go:build !linux

package session

import "time"

func sleep(duration time.Duration) { time.Sleep(duration) }
