//go:build lab

// Package network decides where WhatsApp is found.
package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow"

	pb "malote.dev/engine/protocol"
)

// Lab says whether this build can be pointed at another network than WhatsApp's.
const Lab = true

// ErrUnsupported is returned when a build without that ability is asked to.
var ErrUnsupported = errors.New("unsupported")

// ErrBadTarget is returned for a target that is not complete.
var ErrBadTarget = errors.New("a lab needs an address, a CA certificate in PEM and a 32-byte Noise root key")

// Redirect makes every connection of the transport, and of this process's Noise handshakes, go to target. Without a
// target it changes nothing. A transport that is proxied asks its proxy as always: that has to lead to the target.
func Redirect(transport *http.Transport, target *pb.Lab, proxied bool) error {
	if target == nil {
		return nil
	}
	roots := x509.NewCertPool()
	if target.Address == "" || !roots.AppendCertsFromPEM(target.TlsCaPem) ||
		len(target.NoiseRootKey) != len(whatsmeow.WACertPubKey) {
		return ErrBadTarget
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !proxied {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, target.Address)
		}
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	copy(whatsmeow.WACertPubKey[:], target.NoiseRootKey)
	return nil
}
