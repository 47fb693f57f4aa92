package session

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

const (
	// maxHistoryField is how large one chat of a part may be, and all that is not chats together, in bytes: they are
	// read into memory.
	maxHistoryField = 64 << 20

	conversationsField = 2
	statusesField      = 3
)

// historyPart is a part of the history in a file without a name, read from front to back: chats, each followed by its
// messages, and statuses. Only one chat of it is in memory.
type historyPart struct {
	key    string // the serialized notification
	head   *waHistorySync.HistorySync
	file   *os.File
	reader *bufio.Reader
	at     uint64 // entries passed
	chat   *waHistorySync.Conversation
	status *waWeb.WebMessageInfo
	begun  bool // the chat itself has been passed
	passed int  // messages of the chat that have been
}

// historyEntry is a chat that begins, or a message: of a chat, or a status.
type historyEntry struct {
	chat    *waHistorySync.Conversation // nil for a status
	begins  bool
	message *waWeb.WebMessageInfo
}

// namelessFile lives on while it is open, and does not outlive this process.
func namelessFile(folder string) (*os.File, error) {
	file, err := os.CreateTemp(folder, ".*.history")
	if err != nil {
		return nil, fail("bad_request", "cannot write to %s: %s", folder, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// unpackPart opens a part: bytes, or a file.
func unpackPart[P []byte | *os.File](command *pb.ReadHistory, packed P) (part *historyPart, err error) {
	var source io.Reader
	switch p := any(packed).(type) {
	case []byte:
		source = bytes.NewReader(p)
	case *os.File:
		if _, err := p.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		source = bufio.NewReader(p)
	}
	file, err := namelessFile(command.Folder)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	unpacked, err := zlib.NewReader(source)
	if err != nil {
		return nil, corrupt(err)
	}
	if err := unpackInto(file, unpacked, command.MaxPartBytes); err != nil {
		return nil, err
	}
	part = &historyPart{key: string(command.Notification), file: file}
	if part.head, err = part.readHead(); err != nil {
		return nil, err
	}
	return part, part.rewind()
}

func unpackInto(file *os.File, unpacked io.Reader, most uint64) error {
	if most > 0 && most < 1<<62 {
		unpacked = io.LimitReader(unpacked, int64(most)+1)
	}
	size, err := io.Copy(file, unpacked)
	var full *os.PathError
	switch {
	case errors.As(err, &full):
		return err
	case err != nil:
		return corrupt(err)
	case most > 0 && uint64(size) > most:
		return fail("media_too_large", "%s", errTooLarge)
	}
	return nil
}

func corrupt(err error) error {
	return fail("media_corrupt", "the part of the history is damaged: %s", err)
}

func (p *historyPart) close() { _ = p.file.Close() }

func (p *historyPart) rewind() error {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	p.reader = bufio.NewReaderSize(p.file, 1<<16)
	p.at, p.chat, p.status, p.begun, p.passed = 0, nil, nil, false, 0
	return nil
}

// seek goes to the entry before which this many others are.
func (p *historyPart) seek(at uint64) error {
	if at < p.at {
		if err := p.rewind(); err != nil {
			return err
		}
	}
	for p.at < at {
		entry, err := p.peek()
		if err != nil {
			return err
		}
		if entry == nil {
			return fail("bad_request", "this part of the history has %d entries, not %d", p.at, at)
		}
		p.advance()
	}
	return nil
}

// peek returns the next entry, nil at the end.
func (p *historyPart) peek() (*historyEntry, error) {
	for {
		switch {
		case p.status != nil:
			return &historyEntry{message: p.status}, nil
		case p.chat != nil && !p.begun:
			return &historyEntry{chat: p.chat, begins: true}, nil
		case p.chat != nil && p.passed < len(p.chat.Messages):
			return &historyEntry{chat: p.chat, message: p.chat.Messages[p.passed].GetMessage()}, nil
		}
		p.chat, p.begun, p.passed = nil, false, 0
		if more, err := p.read(); err != nil || !more {
			return nil, err
		}
	}
}

// advance passes the entry that peek returned.
func (p *historyPart) advance() {
	p.at++
	switch {
	case p.status != nil:
		p.status = nil
	case !p.begun:
		p.begun = true
	default:
		p.passed++
	}
}

// read reads the next chat or status; false at the end.
func (p *historyPart) read() (bool, error) {
	for {
		number, kind, err := readTag(p.reader)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if kind != protowire.BytesType || (number != conversationsField && number != statusesField) {
			if _, err := readValue(p.reader, kind, io.Discard); err != nil {
				return false, err
			}
			continue
		}
		var body bytes.Buffer
		if _, err := readValue(p.reader, kind, &body); err != nil {
			return false, err
		}
		if number == statusesField {
			p.status = &waWeb.WebMessageInfo{}
			err = unmarshal(body.Bytes(), p.status)
		} else {
			p.chat = &waHistorySync.Conversation{}
			err = unmarshal(body.Bytes(), p.chat)
		}
		return err == nil, err
	}
}

// readHead reads all that is neither chats nor statuses, wherever it stands.
func (p *historyPart) readHead() (*waHistorySync.HistorySync, error) {
	if err := p.rewind(); err != nil {
		return nil, err
	}
	var rest bytes.Buffer
	for {
		number, kind, err := readTag(p.reader)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var target io.Writer = io.Discard
		if number != conversationsField && number != statusesField {
			rest.Write(protowire.AppendTag(nil, number, kind))
			target = &lengthened{&rest}
		}
		if _, err := readValue(p.reader, kind, target); err != nil {
			return nil, err
		}
		if rest.Len() > maxHistoryField {
			return nil, fail("media_too_large", "what is said beside the chats has over %d bytes", maxHistoryField)
		}
	}
	head := &waHistorySync.HistorySync{}
	return head, unmarshal(rest.Bytes(), head)
}

// lengthened keeps the length of a value before it.
type lengthened struct{ *bytes.Buffer }

func unmarshal(body []byte, message proto.Message) error {
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(body, message); err != nil {
		return corrupt(err)
	}
	return nil
}

// readTag returns io.EOF at the end, and only there.
func readTag(reader *bufio.Reader) (protowire.Number, protowire.Type, error) {
	if _, err := reader.Peek(1); err != nil {
		return 0, 0, err
	}
	tag, err := binary.ReadUvarint(reader)
	if err != nil {
		return 0, 0, corrupt(err)
	}
	number, kind := protowire.DecodeTag(tag)
	if number < 1 {
		return 0, 0, corrupt(errors.New("no such field"))
	}
	return number, kind, nil
}

// readValue copies the value of a field; of one with a length, to anything but a lengthened, without it.
func readValue(reader *bufio.Reader, kind protowire.Type, target io.Writer) (int64, error) {
	var size uint64
	switch kind {
	case protowire.VarintType:
		value, err := binary.ReadUvarint(reader)
		if err != nil {
			return 0, corrupt(err)
		}
		written, err := target.Write(protowire.AppendVarint(nil, value))
		return int64(written), err
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	case protowire.BytesType:
		length, err := binary.ReadUvarint(reader)
		if err != nil {
			return 0, corrupt(err)
		}
		if target != io.Discard && length > maxHistoryField {
			return 0, fail("media_too_large", "one chat of the history has %d bytes", length)
		}
		if _, whole := target.(*lengthened); whole {
			if _, err := target.Write(protowire.AppendVarint(nil, length)); err != nil {
				return 0, err
			}
		}
		size = length
	default:
		return 0, corrupt(errors.New("a group"))
	}
	if size > 1<<62 {
		return 0, corrupt(io.ErrUnexpectedEOF)
	}
	copied, err := io.CopyN(target, reader, int64(size))
	if err != nil {
		return copied, corrupt(io.ErrUnexpectedEOF)
	}
	return copied, nil
}
