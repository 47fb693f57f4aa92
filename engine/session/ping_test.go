package session

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"

	"malote.dev/engine/intake"
	pb "malote.dev/engine/protocol"
)

func TestAPingNeedsALogin(t *testing.T) {
	device := &waStore.Device{}
	s := &Session{device: device, client: whatsmeow.NewClient(device, waLog.Noop), intake: intake.New()}
	if code := Describe(s.Ping(t.Context(), &pb.Ping{})).Code; code != "not_paired" {
		t.Errorf("without a device: %s", code)
	}
	device.ID = &types.JID{User: "5511900000001", Device: 1, Server: types.DefaultUserServer}
	if code := Describe(s.Ping(t.Context(), &pb.Ping{})).Code; code != "not_connected" {
		t.Errorf("without a connection: %s", code)
	}
}

func TestAnyAnswerIsASignOfLife(t *testing.T) {
	for _, answer := range []error{nil, whatsmeow.ErrIQInternalServerError, whatsmeow.ErrIQRateOverLimit, &whatsmeow.IQError{}} {
		if err := signOfLife(answer, false); err != nil {
			t.Errorf("%v: %v", answer, err)
		}
	}
}

func TestNoAnswerIsASignOfLifeOnlyBehindABacklog(t *testing.T) {
	for _, silence := range []error{context.DeadlineExceeded, whatsmeow.ErrIQTimedOut, fmt.Errorf("x: %w", context.DeadlineExceeded)} {
		if err := signOfLife(silence, false); err == nil || Describe(err).Code != "timeout" {
			t.Errorf("%v: %v", silence, err)
		}
		if err := signOfLife(silence, true); err != nil {
			t.Errorf("%v behind a backlog: %v", silence, err)
		}
	}
}

func TestTheEndOfAConnectionIsNoSignOfLife(t *testing.T) {
	for _, end := range []error{&whatsmeow.DisconnectedError{Action: "info query"}, whatsmeow.ErrNotConnected, errors.New("EOF")} {
		if signOfLife(end, false) == nil || signOfLife(end, true) == nil {
			t.Errorf("%v was taken for an answer", end)
		}
	}
}
