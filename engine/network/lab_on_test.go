//go:build lab

package network

import (
	"bytes"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.mau.fi/whatsmeow"

	pb "malote.dev/engine/protocol"
)

func TestAnIncompleteTargetIsRefused(t *testing.T) {
	for _, target := range []*pb.Lab{
		{}, {Address: "127.0.0.1:1", NoiseRootKey: make([]byte, 32)},
		{Address: "127.0.0.1:1", TlsCaPem: []byte("no certificate"), NoiseRootKey: make([]byte, 32)},
	} {
		if err := Redirect(&http.Transport{}, target, false); !errors.Is(err, ErrBadTarget) {
			t.Errorf("%v: %v", target, err)
		}
	}
}

func TestEveryAddressLeadsToTheTarget(t *testing.T) {
	original := whatsmeow.WACertPubKey
	t.Cleanup(func() { whatsmeow.WACertPubKey = original })
	server := httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		answer.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	root := bytes.Repeat([]byte{7}, 32)
	transport := &http.Transport{}
	err := Redirect(transport, &pb.Lab{
		Address:      server.Listener.Addr().String(),
		TlsCaPem:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		NoiseRootKey: root,
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	// The test server's certificate is for example.com, so that name is trusted and no other.
	answer, err := (&http.Client{Transport: transport}).Get("https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusTeapot {
		t.Errorf("%d", answer.StatusCode)
	}
	if !bytes.Equal(whatsmeow.WACertPubKey[:], root) {
		t.Error("the Noise root was not replaced")
	}
	if err := Redirect(&http.Transport{}, nil, false); err != nil {
		t.Errorf("without a target: %v", err)
	}
}
