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
	var unencodable *EncodeError
	if err := Write(io.Discard, huge); !errors.Is(err, ErrTooLarge) || !errors.As(err, &unencodable) {
		t.Errorf("%v", err)
	}
}

func TestTextsThatAreNotUTF8AreRepaired(t *testing.T) {
	const broken, repaired = "ol\xff\xfe!", "ol\uFFFD!"
	sent := &pb.FromEngine{Frame: &pb.FromEngine_Event{Event: &pb.Event{Event: &pb.Event_Message{Message: &pb.Message{
		Text: broken, Info: &pb.MessageInfo{PushName: broken}, Message: []byte(broken),
	}}}}}
	var stream bytes.Buffer
	if err := Write(&stream, sent); err != nil {
		t.Fatal(err)
	}
	got := &pb.FromEngine{}
	if err := Read(&stream, got); err != nil {
		t.Fatal(err)
	}
	message := got.GetEvent().GetMessage()
	if message.Text != repaired || message.Info.PushName != repaired || string(message.Message) != broken {
		t.Errorf("%q", message)
	}
	lists := &pb.Receipt{MessageIds: []string{"fine", broken}}
	maps := &pb.GetPrivacyResult{Settings: map[string]string{broken: broken, "fine": "fine"}}
	for _, m := range []proto.Message{lists, maps} {
		if err := Write(io.Discard, m); err != nil {
			t.Error(err)
		}
	}
	if lists.MessageIds[0] != "fine" || lists.MessageIds[1] != repaired || len(maps.Settings) != 2 || maps.Settings[repaired] != repaired {
		t.Errorf("%v, %v", lists, maps)
	}
}
