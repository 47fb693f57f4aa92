package session

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	pb "malote.dev/engine/protocol"
)

func TestCodesAreShownOneAfterAnotherUntilNoneIsLeft(t *testing.T) {
	var p pairing
	ctx, rotated := p.start([]string{"first", "second", "third"})
	var shown []*pb.Qr
	exhausted := p.show(ctx, rotated, 2*time.Millisecond, time.Millisecond, func(code *pb.Qr) { shown = append(shown, code) })
	if !exhausted || len(shown) != 3 {
		t.Fatalf("exhausted %v after %v", exhausted, shown)
	}
	for i, wanted := range []string{"first", "second", "third"} {
		if shown[i].Code != wanted || shown[i].Left != uint32(2-i) {
			t.Errorf("code %d is %v", i, shown[i])
		}
	}
	if shown[0].ValidMs != 2 || shown[1].ValidMs != 1 {
		t.Errorf("validity: %v", shown)
	}
}

func TestARotatedSecretIsShownAtOnce(t *testing.T) {
	var p pairing
	ctx, rotated := p.start([]string{"ref1,old", "ref2,old"})
	seen := make(chan string, 10)
	done := make(chan bool)
	go func() {
		done <- p.show(ctx, rotated, time.Hour, time.Hour, func(code *pb.Qr) { seen <- code.Code })
	}()
	if code := <-seen; code != "ref1,old" {
		t.Fatalf("first: %s", code)
	}
	p.replaceSecret(&events.RotateADVSecret{OldSecret: "old", NewSecret: "new"})
	if code := <-seen; code != "ref1,new" {
		t.Fatalf("rotated: %s", code)
	}
	p.stop()
	if <-done {
		t.Fatal("stopped codes count as exhausted")
	}
}

func TestAskingForAPhoneCodeWaitsForWhatsAppsOffer(t *testing.T) {
	var p pairing
	waited := make(chan bool)
	go func() { waited <- p.wait(context.Background()) }()
	p.start([]string{"code"})
	if !<-waited {
		t.Fatal("the offer was not noticed")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	p.stop()
	if p.wait(ended) {
		t.Fatal("an offer of the last connection counts")
	}
}
