// Package frames carries protobuf messages over a byte stream: a 4-byte big-endian length, then that many bytes.
package frames

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxSize is the largest body of a frame, in bytes.
const MaxSize = 64 << 20

const headerSize = 4

// ErrTooLarge is returned for a frame whose body would exceed MaxSize.
var ErrTooLarge = errors.New("frame exceeds 64 MiB")

// Read reads one frame into m. It returns io.EOF at a clean end of the stream and io.ErrUnexpectedEOF
// when the stream ends within a frame.
func Read(r io.Reader, m proto.Message) error {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > MaxSize {
		return ErrTooLarge
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if err := proto.Unmarshal(body, m); err != nil {
		return fmt.Errorf("frame is not a %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// EncodeError is an error of the message, not of the stream: the stream can go on without it.
type EncodeError struct{ Err error }

func (e *EncodeError) Error() string { return "cannot encode a frame: " + e.Err.Error() }

// Unwrap returns what is wrong with the message.
func (e *EncodeError) Unwrap() error { return e.Err }

// Write writes m as one frame with a single call of w.Write. WhatsApp's texts are not always valid UTF-8, which
// protobuf insists on: in that case the offending bytes are replaced, in m too.
func Write(w io.Writer, m proto.Message) error {
	frame, err := encode(m)
	if err != nil {
		repair(m.ProtoReflect())
		if frame, err = encode(m); err != nil {
			return &EncodeError{err}
		}
	}
	_, err = w.Write(frame)
	return err
}

func encode(m proto.Message) ([]byte, error) {
	size := proto.Size(m)
	if size > MaxSize {
		return nil, ErrTooLarge
	}
	frame := make([]byte, headerSize, headerSize+size)
	binary.BigEndian.PutUint32(frame, uint32(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(frame, m)
}

// repair makes every string in m, and in the messages within it, valid UTF-8.
func repair(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			repairMap(field, value.Map())
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				if repaired, changed := repairValue(field, list.Get(i)); changed {
					list.Set(i, repaired)
				}
			}
		default:
			if repaired, changed := repairValue(field, value); changed {
				m.Set(field, repaired)
			}
		}
		return true
	})
}

func repairMap(field protoreflect.FieldDescriptor, entries protoreflect.Map) {
	entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		repaired, _ := repairValue(field.MapValue(), value)
		if name, changed := repairValue(field.MapKey(), key.Value()); changed {
			entries.Clear(key)
			key = name.MapKey()
		}
		if field.MapValue().Kind() == protoreflect.StringKind {
			entries.Set(key, repaired)
		}
		return true
	})
}

func repairValue(field protoreflect.FieldDescriptor, value protoreflect.Value) (protoreflect.Value, bool) {
	switch field.Kind() {
	case protoreflect.MessageKind:
		repair(value.Message())
	case protoreflect.StringKind:
		if text := value.String(); !utf8.ValidString(text) {
			return protoreflect.ValueOfString(strings.ToValidUTF8(text, "\uFFFD")), true
		}
	}
	return value, false
}
