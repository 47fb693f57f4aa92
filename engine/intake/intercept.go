package intake

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// Intercept puts wrap around every stanza handler of a client that was not connected yet.
//
// whatsmeow has no hook for this, so its private table of handlers is edited. If a future version keeps it under
// another name or type, this returns an error and the engine does not start.
func Intercept(client *whatsmeow.Client, wrap func(tag string, h Handler) Handler) error {
	const name = "nodeHandlers"
	field := reflect.ValueOf(client).Elem().FieldByName(name)
	handlerType := reflect.TypeFor[func(context.Context, *waBinary.Node)]()
	if !field.IsValid() || field.Kind() != reflect.Map || field.Type().Key().Kind() != reflect.String ||
		!field.Type().Elem().ConvertibleTo(handlerType) {
		return fmt.Errorf("this version of whatsmeow has no map of handlers %s", name)
	}
	table := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	for _, tag := range table.MapKeys() {
		inner := table.MapIndex(tag).Convert(handlerType).Interface().(func(context.Context, *waBinary.Node))
		table.SetMapIndex(tag, reflect.ValueOf((func(context.Context, *waBinary.Node))(wrap(tag.String(), inner))).Convert(table.Type().Elem()))
	}
	return nil
}

// Tap is a logger that tells the intake of every stanza: whatsmeow logs each one it reads or sends, on the goroutine
// that does it, before it goes on.
type Tap struct {
	waLog.Logger
	notice func(*waBinary.Node)
}

// TapLogger returns a logger for a client whose sub-loggers for stanzas feed the intake.
func (i *Intake) TapLogger(log waLog.Logger) waLog.Logger {
	return root{log, i}
}

type root struct {
	waLog.Logger
	intake *Intake
}

// Sub returns whatsmeow's sub-logger, tapped if it is one for stanzas.
func (r root) Sub(module string) waLog.Logger {
	sub := r.Logger.Sub(module)
	switch module {
	case "Recv":
		return Tap{sub, r.intake.Received}
	case "Send":
		return Tap{sub, r.intake.Sent}
	default:
		return sub
	}
}

// Debugf logs, after the intake has seen the stanza among the arguments.
func (t Tap) Debugf(format string, args ...any) {
	for _, arg := range args {
		if node, ok := arg.(*waBinary.Node); ok {
			t.notice(node)
		}
	}
	t.Logger.Debugf(format, args...)
}
