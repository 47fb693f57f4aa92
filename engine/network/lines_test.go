package network

import (
	"net"
	"net/http"
	"testing"
)

func count(l *Lines) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func TestLinesAreCutWhileSomebodyReads(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, transport := range []*http.Transport{{}, {DialContext: (&net.Dialer{}).DialContext}} {
		lines := Trace(transport)
		var ends [2]chan error
		for i := range ends {
			conn, err := transport.DialContext(t.Context(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			ends[i] = make(chan error, 1)
			go func() {
				_, err := conn.Read(make([]byte, 1))
				ends[i] <- err
			}()
		}
		if n := count(lines); n != len(ends) {
			t.Errorf("%d lines are open", n)
		}
		lines.Cut()
		for _, end := range ends {
			if <-end == nil {
				t.Error("something was read")
			}
		}
		if n := count(lines); n != 0 {
			t.Errorf("%d lines are left", n)
		}
	}
}

func TestALineThatClosedIsForgottenAndOneThatFailedIsNone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	lines := Trace(transport)
	address := listener.Addr().String()
	conn, err := transport.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	listener.Close()
	if _, err := transport.DialContext(t.Context(), "tcp", address); err == nil {
		t.Error("dialled nobody")
	}
	if n := count(lines); n != 0 {
		t.Errorf("%d lines are left", n)
	}
	lines.Cut()
}
