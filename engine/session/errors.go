package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"
	waStore "go.mau.fi/whatsmeow/store"

	"malote.dev/engine/logs"
	"malote.dev/engine/network"
	pb "malote.dev/engine/protocol"
	"malote.dev/engine/store"
)

// Failure is a command's failure with one of the codes of the protocol.
type Failure struct {
	Code       string
	Message    string
	ServerCode int32
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

func fail(code, format string, args ...any) *Failure {
	return &Failure{Code: code, Message: fmt.Sprintf(format, args...)}
}

// whatsmeow gives these two no type of their own.
var (
	serverReturned = regexp.MustCompile(`server returned error (\d+)`)
	noLID          = regexp.MustCompile(`^no LID found for .* from server`)
)

const rateLimited = 429

// Survived turns what recover returned into an error, nil if that is nothing. A command that panics must not end the
// process: the actor would start another one and give it the same command, over and over.
func Survived(log logs.Logger, cause any) error {
	if cause == nil {
		return nil
	}
	log.Errorf("panic: %v\n%s", cause, debug.Stack())
	return fail("internal", "panic: %v", cause)
}

// Describe turns any error into a protocol error.
func Describe(err error) *pb.Error {
	failure := classify(err)
	return &pb.Error{Code: failure.Code, Message: failure.Message, ServerCode: failure.ServerCode}
}

func classify(err error) *Failure {
	var known *Failure
	var storeFailure *store.Failure
	var query *whatsmeow.IQError
	var disconnected *whatsmeow.DisconnectedError
	message := err.Error()
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, network.ErrUnsupported):
		return fail("unsupported", "%s", message)
	case errors.Is(err, store.ErrLocked):
		return fail("store_locked", "%s", message)
	case errors.As(err, &storeFailure):
		return fail("store_failed", "%s", message)
	case errors.Is(err, store.ErrBadSpec), errors.Is(err, store.ErrBadDevice),
		errors.Is(err, whatsmeow.ErrRecipientADJID), errors.Is(err, whatsmeow.ErrUnknownServer),
		errors.Is(err, whatsmeow.ErrBroadcastListUnsupported),
		errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return fail("bad_request", "%s", message)
	case errors.Is(err, store.ErrNoDevice), errors.Is(err, whatsmeow.ErrNotLoggedIn), errors.Is(err, waStore.ErrDeviceDeleted):
		return fail("not_paired", "%s", message)
	case errors.As(err, &disconnected), errors.Is(err, whatsmeow.ErrNotConnected):
		return fail("not_connected", "%s", message)
	case errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, whatsmeow.ErrMessageTimedOut),
		errors.Is(err, context.DeadlineExceeded):
		return fail("timeout", "%s", message)
	case noLID.MatchString(message):
		return fail("not_on_whatsapp", "%s", message)
	case errors.As(err, &query) && query.Code != 0:
		return refusal(query.Code, message)
	case errors.Is(err, whatsmeow.ErrServerReturnedError):
		code := 0
		if match := serverReturned.FindStringSubmatch(message); match != nil {
			code, _ = strconv.Atoi(match[1])
		}
		return refusal(code, message)
	case strings.HasPrefix(message, "failed to dial") || errors.Is(err, whatsmeow.ErrAlreadyConnected):
		return fail("not_connected", "%s", message)
	default:
		return fail("internal", "%s", message)
	}
}

func refusal(code int, message string) *Failure {
	failure := &Failure{Code: "rejected", Message: message, ServerCode: int32(code)}
	if code == rateLimited {
		failure.Code = "rate_limited"
	}
	return failure
}
