//go:build !lab

// Package network decides where WhatsApp is found.
package network

import (
	"errors"
	"net/http"

	pb "malote.dev/engine/protocol"
)

// Lab says whether this build can be pointed at another network than WhatsApp's.
const Lab = false

// ErrUnsupported is returned when a build without that ability is asked to.
var ErrUnsupported = errors.New("this build connects to WhatsApp only; another network needs a build with the tag lab")

// Redirect changes nothing: this build knows WhatsApp only.
func Redirect(_ *http.Transport, target *pb.Lab, _ bool) error {
	if target != nil {
		return ErrUnsupported
	}
	return nil
}
