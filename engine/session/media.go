package session

import (
	"context"
	"crypto/aes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow"

	pb "malote.dev/engine/protocol"
)

// sealing is the most that encryption adds to a file: padding and a signature, in bytes.
const sealing = aes.BlockSize + 10

var mediaTypes = map[pb.MediaKind]whatsmeow.MediaType{
	pb.MediaKind_IMAGE:          whatsmeow.MediaImage,
	pb.MediaKind_VIDEO:          whatsmeow.MediaVideo,
	pb.MediaKind_AUDIO:          whatsmeow.MediaAudio,
	pb.MediaKind_DOCUMENT:       whatsmeow.MediaDocument,
	pb.MediaKind_STICKER:        whatsmeow.MediaImage,
	pb.MediaKind_LINK_THUMBNAIL: whatsmeow.MediaLinkThumbnail,
}

// Upload encrypts a file and uploads it. Only one block of it is in memory at a time.
func (s *Session) Upload(ctx context.Context, command *pb.Upload) (*pb.UploadResult, error) {
	kind, known := mediaTypes[command.Kind]
	if !known {
		return nil, fail("bad_request", "a file is an image, a video, audio, a document, a sticker or a link's thumbnail")
	}
	plain, err := openFile(command.Path)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	if err := s.ready(); err != nil {
		return nil, err
	}
	upload := s.upload
	if command.Plain {
		upload = s.uploadPlain
	}
	sent, err := upload(ctx, plain, kind)
	if code := uploadCode(err); code == http.StatusUnauthorized || code == http.StatusForbidden {
		// whatsmeow keeps the permission to upload for as long as WhatsApp said; it may be taken back before that.
		//lint:ignore SA1019 there is no other way to ask for a new permission
		if _, err = s.client.DangerousInternals().RefreshMediaConn(ctx, true); err == nil {
			sent, err = upload(ctx, plain, kind)
		}
	}
	if err != nil {
		return nil, mediaFailure(ctx, err)
	}
	if sent.DirectPath == "" {
		return nil, fail("rejected", "WhatsApp took the file and did not say where it is")
	}
	return &pb.UploadResult{
		Url: sent.URL, DirectPath: sent.DirectPath, MediaKey: sent.MediaKey,
		FileSha256: sent.FileSHA256, FileEncSha256: sent.FileEncSHA256, FileLength: sent.FileLength,
		Handle: sent.Handle,
	}, nil
}

func (s *Session) uploadPlain(
	ctx context.Context, plain *os.File, kind whatsmeow.MediaType,
) (sent whatsmeow.UploadResponse, err error) {
	if _, err := plain.Seek(0, io.SeekStart); err != nil {
		return sent, err
	}
	return s.client.UploadNewsletterReader(ctx, plain, kind)
}

func (s *Session) upload(
	ctx context.Context, plain *os.File, kind whatsmeow.MediaType,
) (sent whatsmeow.UploadResponse, err error) {
	if _, err := plain.Seek(0, io.SeekStart); err != nil {
		return sent, err
	}
	sealed, err := os.CreateTemp(filepath.Dir(plain.Name()), ".*.upload")
	if err != nil {
		return sent, fail("bad_request", "there is no room to encrypt the file beside it: %s", err)
	}
	defer sealed.Close()
	// It lives on while it is open, and does not outlive this process.
	if err := os.Remove(sealed.Name()); err != nil {
		return sent, err
	}
	return s.client.UploadReader(ctx, plain, sealed, kind)
}

// FetchMedia downloads a file and decrypts it. Only a whole and genuine file ever stands at the path.
func (s *Session) FetchMedia(ctx context.Context, command *pb.FetchMedia) (*pb.FetchMediaResult, error) {
	found, err := s.fetchMedia(ctx, command)
	if err == nil || command.Renewal == nil || Describe(err).Code != "media_gone" {
		return found, err
	}
	path, err := s.renew(ctx, command.Renewal, command.MediaKey)
	if err != nil {
		return nil, err
	}
	return s.fetchMedia(ctx, afresh(command, path))
}

func (s *Session) fetchMedia(ctx context.Context, command *pb.FetchMedia) (*pb.FetchMediaResult, error) {
	if err := checkFetch(command); err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	folder, name := filepath.Split(command.Path)
	part, err := os.CreateTemp(folder, "."+name+".*.part")
	if err != nil {
		return nil, fail("bad_request", "cannot write to %s: %s", folder, err)
	}
	var size uint64
	inBackground(func() { size, err = s.fetch(ctx, command, part) })
	if failed := part.Close(); err == nil {
		err = failed
	}
	if err == nil {
		err = os.Rename(part.Name(), command.Path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return nil, mediaFailure(ctx, err)
	}
	return &pb.FetchMediaResult{Size: size}, nil
}

func (s *Session) fetch(ctx context.Context, command *pb.FetchMedia, part *os.File) (uint64, error) {
	target := newDownload(part, command.MaxBytes)
	err := s.client.DownloadMediaWithPathToFile(
		context.WithValue(ctx, downloadKey{}, target), command.DirectPath, command.FileEncSha256, command.FileSha256,
		command.MediaKey, mediaTypes[command.Kind], "", false, target,
	)
	if err != nil {
		return 0, err
	}
	found, err := part.Stat()
	if err != nil {
		return 0, err
	}
	size := uint64(found.Size())
	if command.MaxBytes > 0 && size > command.MaxBytes {
		return 0, errTooLarge
	}
	return size, part.Sync()
}

func checkFetch(command *pb.FetchMedia) error {
	_, known := mediaTypes[command.Kind]
	encrypted := len(command.MediaKey) > 0
	switch {
	case !filepath.IsAbs(command.Path) || strings.HasSuffix(command.Path, "/"):
		return fail("bad_request", "%q is not an absolute path of a file", command.Path)
	case !known:
		return fail("bad_request", "a file is an image, a video, audio, a document, a sticker or a link's thumbnail")
	case !strings.HasPrefix(command.DirectPath, "/"):
		return fail("bad_request", "a direct path starts with a slash")
	case len(command.FileSha256) != sha256.Size:
		return fail("bad_request", "the hash of a file has %d bytes, not %d", sha256.Size, len(command.FileSha256))
	case encrypted && len(command.FileEncSha256) != sha256.Size:
		return fail("bad_request", "the hash of an encrypted file has %d bytes, not %d", sha256.Size, len(command.FileEncSha256))
	case !encrypted && len(command.FileEncSha256) > 0:
		return fail("bad_request", "an encrypted file has a key")
	}
	if !encrypted {
		// whatsmeow tells a file that is not encrypted, as in channels, by what is missing.
		command.MediaKey, command.FileEncSha256 = nil, nil
	}
	return nil
}

// openFile opens a regular file: opening a pipe could block for ever.
func openFile(path string) (*os.File, error) {
	if !filepath.IsAbs(path) {
		return nil, fail("bad_request", "%q is not an absolute path", path)
	}
	found, err := os.Stat(path)
	if err == nil && !found.Mode().IsRegular() {
		return nil, fail("bad_request", "%s is not a file", path)
	}
	if err != nil {
		return nil, fail("bad_request", "cannot read the file: %s", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fail("bad_request", "cannot read the file: %s", err)
	}
	return file, nil
}

var errTooLarge = errors.New("the file is larger than allowed")

// download is a file that a download is written into, up to a bound, and decrypted in, with rests. The interface is
// embedded rather than the file: io.Copy would write past Write with what else a file can do.
type download struct {
	whatsmeow.File
	most     int64 // bytes, 0: no bound
	left     int64
	breather breather
}

func newDownload(file *os.File, maxBytes uint64) *download {
	target := &download{File: file, breather: newBreather()}
	if maxBytes > 0 && maxBytes < 1<<62 {
		target.most = int64(maxBytes) + sealing
	}
	target.left = target.most
	return target
}

func (d *download) Write(block []byte) (int, error) {
	if d.most > 0 {
		if int64(len(block)) > d.left {
			return 0, errTooLarge
		}
		d.left -= int64(len(block))
	}
	d.breather.worked(len(block))
	return d.File.Write(block)
}

func (d *download) Read(block []byte) (int, error) {
	d.breather.worked(len(block))
	return d.File.Read(block)
}

// restart forgets what an attempt before has written.
func (d *download) restart() error {
	d.left = d.most
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return d.Truncate(0)
}

type downloadKey struct{}

// freshDownloads starts the file anew with every request for it: whatsmeow does not when it goes on to WhatsApp's next
// host, and would take what two of them sent for one file.
type freshDownloads struct{ http.RoundTripper }

func (t freshDownloads) RoundTrip(request *http.Request) (*http.Response, error) {
	if target, ok := request.Context().Value(downloadKey{}).(*download); ok {
		if err := target.restart(); err != nil {
			return nil, err
		}
	}
	return t.RoundTripper.RoundTrip(request)
}

// whatsmeow gives these no type of their own.
var (
	uploadRefused = regexp.MustCompile(`upload failed with status code (\d+)`)
	badPadding    = regexp.MustCompile(`not a multiple of the block size|padding is greater`)
)

// uploadCode returns the HTTP status with which an upload was refused, or 0.
func uploadCode(err error) int {
	if err == nil {
		return 0
	}
	match := uploadRefused.FindStringSubmatch(err.Error())
	if match == nil {
		return 0
	}
	code, _ := strconv.Atoi(match[1])
	return code
}

// mediaFailure names the failure of an upload or a download.
func mediaFailure(ctx context.Context, err error) error {
	var answer whatsmeow.DownloadHTTPError
	var network net.Error
	message := err.Error()
	var request *url.Error
	if errors.As(err, &request) {
		// Its text has the address, and with it the permission to upload.
		message = request.Err.Error()
	}
	switch {
	case errors.Is(err, errTooLarge):
		return fail("media_too_large", "%s", errTooLarge)
	case errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403), errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404),
		errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410):
		errors.As(err, &answer)
		return &Failure{Code: "media_gone", Message: "WhatsApp no longer has this file", ServerCode: int32(answer.StatusCode)}
	case errors.Is(err, whatsmeow.ErrInvalidMediaSHA256), errors.Is(err, whatsmeow.ErrInvalidMediaEncSHA256),
		errors.Is(err, whatsmeow.ErrInvalidMediaHMAC), errors.Is(err, whatsmeow.ErrInvalidUnencryptedMediaSHA256),
		errors.Is(err, whatsmeow.ErrTooShortFile), badPadding.MatchString(message):
		return fail("media_corrupt", "%s", message)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), request != nil && request.Timeout():
		return fail("timeout", "%s", message)
	case errors.As(err, &answer):
		return refusal(answer.StatusCode, message)
	case uploadCode(err) != 0:
		return refusal(uploadCode(err), message)
	case request != nil, errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network) && !network.Timeout():
		// Not that there is no connection: that one may stand, and this last.
		return fail("media_unreachable", "WhatsApp's media server cannot be reached: %s", message)
	default:
		return err
	}
}
