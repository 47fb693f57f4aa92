package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	waStore "go.mau.fi/whatsmeow/store"

	"malote.dev/engine/intake"
	"malote.dev/engine/logs"
	pb "malote.dev/engine/protocol"
)

func newTarget(t *testing.T, maxBytes uint64) (*download, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return newDownload(file, maxBytes), path
}

func written(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestADownloadIsBoundedWhileItIsWritten(t *testing.T) {
	target, path := newTarget(t, 100)
	endless := io.LimitReader(zeros{}, 1<<40)
	if _, err := io.Copy(target, endless); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
	if size := len(written(t, path)); size > 100+sealing {
		t.Errorf("%d bytes were written", size)
	}
	unbounded, _ := newTarget(t, 0)
	if _, err := io.Copy(unbounded, io.LimitReader(zeros{}, 1<<20)); err != nil {
		t.Errorf("without a bound: %v", err)
	}
}

func TestADownloadRestsWhileItComesAndWhileItIsReadAgain(t *testing.T) {
	target, _ := newTarget(t, 0)
	rests := 0
	target.breather.rest = func() { rests++ }
	const size = 4 * stretch
	if _, err := io.Copy(target, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if rests != 4 {
		t.Errorf("%d rests while it came", rests)
	}
	if _, err := target.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if read, err := io.Copy(io.Discard, target); err != nil || read != size {
		t.Fatalf("%d bytes, %v", read, err)
	}
	if rests < 8 {
		t.Errorf("%d rests until it was read", rests)
	}
}

type zeros struct{}

func (zeros) Read(block []byte) (int, error) {
	clear(block)
	return len(block), nil
}

// serverOf answers each request with the next of the bodies; an empty one is an answer that breaks off.
func serverOf(t *testing.T, bodies ...string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		body := bodies[0]
		bodies = bodies[1:]
		if body == "" {
			answer.Header().Set("Content-Length", "1000")
			body = "half of it"
		}
		_, _ = io.WriteString(answer, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestEveryRequestForAFileStartsItAnew(t *testing.T) {
	server := serverOf(t, "", "whole")
	target, path := newTarget(t, 6)
	client := &http.Client{Transport: freshDownloads{http.DefaultTransport}}
	ctx := context.WithValue(t.Context(), downloadKey{}, target)
	for range 2 {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(target, answer.Body)
		_ = answer.Body.Close()
	}
	if got := written(t, path); got != "whole" {
		t.Errorf("%q", got)
	}
}

func TestMediaTakesTheProxy(t *testing.T) {
	proxied := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		proxied <- request.URL.String()
	}))
	t.Cleanup(proxy.Close)
	transport, err := newTransport(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{device: &waStore.Device{LIDs: noLIDs{}}, intake: intake.New(), log: logs.NewSink(logs.Error).Logger("test")}
	if err := s.prepareClient(transport); err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 whatsmeow has no other request for media that needs no connection
	answer, err := s.client.DangerousInternals().DoMediaDownloadRequest(t.Context(), "http://mmg.whatsapp.net/v/file")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if asked := <-proxied; asked != "http://mmg.whatsapp.net/v/file" {
		t.Error(asked)
	}
}

func TestWhatIsNoFileIsNotUploaded(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{"", "relative", folder, filepath.Join(folder, "missing"), "/dev/null"} {
		if file, err := openFile(path); err == nil {
			_ = file.Close()
			t.Errorf("%q was opened", path)
		} else if Describe(err).Code != "bad_request" {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestADownloadIsDescribedInFull(t *testing.T) {
	hash := bytes.Repeat([]byte{1}, 32)
	whole := func() *pb.FetchMedia {
		return &pb.FetchMedia{
			Path: "/tmp/x", DirectPath: "/v/x?y=1", Kind: pb.MediaKind_IMAGE,
			MediaKey: hash, FileSha256: hash, FileEncSha256: hash,
		}
	}
	if err := checkFetch(whole()); err != nil {
		t.Error(err)
	}
	plain := whole()
	plain.MediaKey, plain.FileEncSha256 = []byte{}, []byte{}
	if err := checkFetch(plain); err != nil || plain.MediaKey != nil || plain.FileEncSha256 != nil {
		t.Errorf("a file that is not encrypted: %v", err)
	}
	for name, spoil := range map[string]func(*pb.FetchMedia){
		"relative path":   func(c *pb.FetchMedia) { c.Path = "x" },
		"folder":          func(c *pb.FetchMedia) { c.Path = "/tmp/" },
		"kind":            func(c *pb.FetchMedia) { c.Kind = pb.MediaKind_MEDIA_UNKNOWN },
		"direct path":     func(c *pb.FetchMedia) { c.DirectPath = "@example.org/x" },
		"no hash":         func(c *pb.FetchMedia) { c.FileSha256 = nil },
		"short hash":      func(c *pb.FetchMedia) { c.FileEncSha256 = hash[:31] },
		"key is missing":  func(c *pb.FetchMedia) { c.MediaKey = nil },
		"hash is missing": func(c *pb.FetchMedia) { c.FileEncSha256 = nil },
	} {
		command := whole()
		spoil(command)
		if err := checkFetch(command); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailuresOfMedia(t *testing.T) {
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	broken := &url.Error{Op: "Get", URL: "https://mmg.whatsapp.net/mms?auth=secret", Err: errors.New("connection refused")}
	status := func(code int) error {
		return fmt.Errorf("last host: %w", whatsmeow.DownloadHTTPError{Response: &http.Response{StatusCode: code}})
	}
	for _, c := range []struct {
		ctx        context.Context
		err        error
		code       string
		serverCode int32
	}{
		{t.Context(), fmt.Errorf("x: %w", errTooLarge), "media_too_large", 0},
		{t.Context(), status(403), "media_gone", 403},
		{t.Context(), status(404), "media_gone", 404},
		{t.Context(), status(410), "media_gone", 410},
		{t.Context(), status(500), "rejected", 500},
		{t.Context(), status(429), "rate_limited", 429},
		{t.Context(), whatsmeow.ErrInvalidMediaHMAC, "media_corrupt", 0},
		{t.Context(), fmt.Errorf("x: %w", whatsmeow.ErrInvalidMediaEncSHA256), "media_corrupt", 0},
		{t.Context(), whatsmeow.ErrTooShortFile, "media_corrupt", 0},
		{t.Context(), errors.New("failed to decrypt file: padding is greater then the length: 200 / 16"), "media_corrupt", 0},
		{t.Context(), errors.New("upload failed with status code 413"), "rejected", 413},
		{t.Context(), errors.New("upload failed with status code 429"), "rate_limited", 429},
		{t.Context(), fmt.Errorf("x: %w", broken), "media_unreachable", 0},
		{t.Context(), fmt.Errorf("x: %w", io.ErrUnexpectedEOF), "media_unreachable", 0},
		{t.Context(), &url.Error{URL: "?auth=secret", Err: os.ErrDeadlineExceeded}, "timeout", 0},
		{over, fmt.Errorf("x: %w", broken), "timeout", 0},
		{t.Context(), fmt.Errorf("x: %w", whatsmeow.ErrIQTimedOut), "timeout", 0},
		{t.Context(), fail("bad_request", "x"), "bad_request", 0},
	} {
		described := Describe(mediaFailure(c.ctx, c.err))
		if described.Code != c.code || described.ServerCode != c.serverCode || described.Message == "" ||
			strings.Contains(described.Message, "secret") {
			t.Errorf("%v: %v", c.err, described)
		}
	}
}
