package session

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	pb "malote.dev/engine/protocol"
)

func TestAnAnswerReachesWhoWaitsForIt(t *testing.T) {
	var r renewals
	r.answered(&events.MediaRetry{MessageID: "nobody asked"})
	first, second := r.begin("M"), r.begin("M")
	r.end("M", first) // another one waits under this id by now
	r.answered(&events.MediaRetry{MessageID: "M"})
	if len(second) != 1 || len(first) != 0 {
		t.Errorf("%d, %d", len(first), len(second))
	}
	r.answered(&events.MediaRetry{MessageID: "M"}) // said twice: nobody is blocked by it
	r.end("M", second)
}

func TestWhichMessageAFileIsOf(t *testing.T) {
	info, err := renewed(&pb.Renewal{MessageId: "M", Chat: "120363000000000001@g.us", Sender: "5511900000001@s.whatsapp.net"})
	if err != nil || !info.IsGroup || info.Sender.User != "5511900000001" {
		t.Errorf("%v, %v", info, err)
	}
	for _, bad := range []*pb.Renewal{
		{Chat: "1@g.us"}, {MessageId: "M", Chat: "nowhere"}, {MessageId: "M", Chat: "1@g.us", Sender: "2@g.us"},
	} {
		if _, err := renewed(bad); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
