// Package logs writes log lines as JSON objects to stderr.
package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// Level orders log lines by weight.
type Level int

// The levels, lightest first.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

var names = [...]string{"debug", "info", "warn", "error"}

// ParseLevel reads a level's name; anything unknown is Warn.
func ParseLevel(name string) Level {
	for i, known := range names {
		if strings.EqualFold(name, known) {
			return Level(i)
		}
	}
	return Warn
}

// Sink is where lines go. It is safe for concurrent use.
type Sink struct {
	mu  sync.Mutex
	out io.Writer
	min Level
}

// NewSink returns a sink for stderr that drops lines lighter than min.
func NewSink(min Level) *Sink {
	return &Sink{out: os.Stderr, min: min}
}

// Logger is one module's view of a sink. It implements whatsmeow's logger.
type Logger struct {
	sink   *Sink
	module string
}

var _ waLog.Logger = Logger{}

// Logger returns a logger for a module.
func (s *Sink) Logger(module string) Logger { return Logger{s, module} }

// Sub returns a logger for a part of the module.
func (l Logger) Sub(module string) waLog.Logger { return Logger{l.sink, l.module + "/" + module} }

// Debugf logs what helps to understand a run.
func (l Logger) Debugf(format string, args ...any) { l.write(Debug, format, args) }

// Infof logs what an operator may want to know.
func (l Logger) Infof(format string, args ...any) { l.write(Info, format, args) }

// Warnf logs what may need a look.
func (l Logger) Warnf(format string, args ...any) { l.write(Warn, format, args) }

// Errorf logs what failed.
func (l Logger) Errorf(format string, args ...any) { l.write(Error, format, args) }

func (l Logger) write(level Level, format string, args []any) {
	if level < l.sink.min {
		return
	}
	for i, arg := range args {
		args[i] = redact(arg)
	}
	line, err := json.Marshal(struct {
		Time    string `json:"time"`
		Level   string `json:"level"`
		Module  string `json:"module"`
		Message string `json:"message"`
	}{time.Now().UTC().Format(time.RFC3339Nano), names[level], l.module, fmt.Sprintf(format, args...)})
	if err != nil {
		return
	}
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	_, _ = l.sink.out.Write(append(line, '\n'))
}

// redact keeps message contents, keys and pairing codes out of the log: of a stanza only its outline is shown.
func redact(arg any) any {
	switch node := arg.(type) {
	case *waBinary.Node:
		return outline(node)
	case waBinary.Node:
		return outline(&node)
	default:
		return arg
	}
}

func outline(node *waBinary.Node) string {
	if node == nil {
		return "<nil>"
	}
	children := make([]string, 0, 4)
	for _, child := range node.GetChildren() {
		children = append(children, child.Tag)
	}
	return fmt.Sprintf("<%s id=%v type=%v from=%v> %v", node.Tag, node.Attrs["id"], node.Attrs["type"], node.Attrs["from"], children)
}
