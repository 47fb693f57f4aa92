package frames

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	var stream bytes.Buffer
	sent := []*pb.ToEngine{
		{},
		{Id: 1, Command: &pb.ToEngine_PairPhone{PairPhone: &pb.PairPhone{Phone: "5511"}}},
		{Id: 2, Command: &pb.ToEngine_Send{Send: &pb.Send{Message: bytes.Repeat([]byte{7}, 1<<20)}}},
	}
	for _, message := range sent {
		if err := Write(&stream, message); err != nil {
			t.Fatal(err)
		}
	}
	pieces := iotest.OneByteReader(&stream)
	for _, wanted := range sent {
		got := &pb.ToEngine{}
		if err := Read(pieces, got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, wanted) {
			t.Errorf("%v instead of %v", got, wanted)
		}
	}
	if err := Read(pieces, &pb.ToEngine{}); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestATornFrameIsNotAnEnd(t *testing.T) {
	var stream bytes.Buffer
	if err := Write(&stream, &pb.ToEngine{Id: 300}); err != nil {
		t.Fatal(err)
	}
	whole := stream.Bytes()
	for size := 1; size < len(whole); size++ {
		if err := Read(bytes.NewReader(whole[:size]), &pb.ToEngine{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", size, err)
		}
	}
}

func TestTooLargeAndGarbage(t *testing.T) {
	if err := Read(bytes.NewReader([]byte{0xff, 0, 0, 0}), &pb.ToEngine{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if err := Read(bytes.NewReader([]byte{0, 0, 0, 1, 0xff}), &pb.ToEngine{}); err == nil {
		t.Error("garbage was accepted")
	}
	huge := &pb.ToEngine{Command: &pb.ToEngine_Send{Send: &pb.Send{Message: make([]byte, MaxSize)}}}
	if err := Write(io.Discard, huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}
