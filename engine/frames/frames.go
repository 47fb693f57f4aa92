// Package frames carries protobuf messages over a byte stream: a 4-byte big-endian length, then that many bytes.
package frames

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
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

// Write writes m as one frame with a single call of w.Write.
func Write(w io.Writer, m proto.Message) error {
	size := proto.Size(m)
	if size > MaxSize {
		return ErrTooLarge
	}
	frame := make([]byte, headerSize, headerSize+size)
	binary.BigEndian.PutUint32(frame, uint32(size))
	frame, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(frame, m)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}
