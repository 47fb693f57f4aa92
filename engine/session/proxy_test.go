package session

import (
	"net/http"
	"testing"
)

func TestProxies(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:3128", "https://proxy:3129", "socks5://user:secret@127.0.0.1:1080"} {
		transport, err := newTransport(address)
		if err != nil {
			t.Fatal(err)
		}
		request, _ := http.NewRequest(http.MethodGet, "https://web.whatsapp.com/ws/chat", nil)
		if used, err := transport.Proxy(request); err != nil || used.String() != address {
			t.Errorf("%s: %v, %v", address, used, err)
		}
	}
	for _, address := range []string{"ftp://proxy", "proxy", "http://", "://"} {
		if _, err := newTransport(address); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%s: %v", address, err)
		}
	}
}
