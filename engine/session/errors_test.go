package session

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow"
	waStore "go.mau.fi/whatsmeow/store"

	"malote.dev/engine/network"
	"malote.dev/engine/store"
)

func TestEveryErrorHasACode(t *testing.T) {
	for _, c := range []struct {
		err        error
		code       string
		serverCode int32
	}{
		{fail("parked", "no"), "parked", 0},
		{fmt.Errorf("sending: %w", whatsmeow.ErrNotConnected), "not_connected", 0},
		{&whatsmeow.DisconnectedError{Action: "message send"}, "not_connected", 0},
		{whatsmeow.ErrNotLoggedIn, "not_paired", 0},
		{waStore.ErrDeviceDeleted, "not_paired", 0},
		{store.ErrNoDevice, "not_paired", 0},
		{whatsmeow.ErrIQTimedOut, "timeout", 0},
		{fmt.Errorf("failed to get device list: %w", whatsmeow.ErrIQTimedOut), "timeout", 0},
		{whatsmeow.ErrMessageTimedOut, "timeout", 0},
		{context.DeadlineExceeded, "timeout", 0},
		{fmt.Errorf("x: %w", whatsmeow.ErrIQRateOverLimit), "rate_limited", 429},
		{whatsmeow.ErrIQForbidden, "rejected", 403},
		{fmt.Errorf("%w %d", whatsmeow.ErrServerReturnedError, 479), "rejected", 479},
		{fmt.Errorf("%w %d", whatsmeow.ErrServerReturnedError, 429), "rate_limited", 429},
		{errors.New("no LID found for 5511@s.whatsapp.net from server"), "not_on_whatsapp", 0},
		{whatsmeow.ErrRecipientADJID, "bad_request", 0},
		{whatsmeow.ErrUnknownServer, "bad_request", 0},
		{whatsmeow.ErrPhoneNumberTooShort, "bad_request", 0},
		{store.ErrBadSpec, "bad_request", 0},
		{fmt.Errorf("%w: 55", store.ErrLocked), "store_locked", 0},
		{&store.Failure{Err: errors.New("disk I/O error")}, "store_failed", 0},
		{&store.Failure{Err: context.DeadlineExceeded}, "store_failed", 0},
		{network.ErrUnsupported, "unsupported", 0},
		{errors.New("something else"), "internal", 0},
	} {
		described := Describe(c.err)
		if described.Code != c.code || described.ServerCode != c.serverCode || described.Message == "" {
			t.Errorf("%v: %v", c.err, described)
		}
	}
}
