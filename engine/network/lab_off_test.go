//go:build !lab

package network

import (
	"errors"
	"net/http"
	"testing"

	pb "malote.dev/engine/protocol"
)

func TestThisBuildKnowsWhatsAppOnly(t *testing.T) {
	transport := &http.Transport{}
	if err := Redirect(transport, &pb.Lab{Address: "127.0.0.1:1"}, false); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if err := Redirect(transport, nil, false); err != nil || transport.DialContext != nil || transport.TLSClientConfig != nil || Lab {
		t.Errorf("%v", err)
	}
}
