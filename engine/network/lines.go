package network

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Lines are the open network connections of a transport.
type Lines struct {
	mu   sync.Mutex
	open map[*line]struct{}
}

// Trace keeps account of the connections that transport dials from now on.
func Trace(transport *http.Transport) *Lines {
	lines := &Lines{open: make(map[*line]struct{})}
	dial := transport.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return lines.add(conn), nil
	}
	return lines
}

// Cut closes every open connection without a farewell, whatever is written to or read from it.
func (l *Lines) Cut() {
	l.mu.Lock()
	open := make([]*line, 0, len(l.open))
	for one := range l.open {
		open = append(open, one)
	}
	l.mu.Unlock()
	for _, one := range open {
		_ = one.Close() // It is gone either way.
	}
}

func (l *Lines) add(conn net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &line{Conn: conn, lines: l}
	l.open[one] = struct{}{}
	return one
}

type line struct {
	net.Conn
	lines *Lines
}

func (o *line) Close() error {
	o.lines.mu.Lock()
	delete(o.lines.open, o)
	o.lines.mu.Unlock()
	return o.Conn.Close()
}
