package session

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"os"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

func packed(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := zlib.NewWriter(&out)
	if _, err := writer.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func aPart(t testing.TB) []byte {
	t.Helper()
	part := &waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_RECENT.Enum(), ChunkOrder: proto.Uint32(3), Progress: proto.Uint32(40),
		PhoneNumberToLidMappings: []*waHistorySync.PhoneNumberToLIDMapping{{PnJID: proto.String("p"), LidJID: proto.String("l")}},
		StatusV3Messages:         []*waWeb.WebMessageInfo{message("S0")},
	}
	for c := range 3 {
		chat := &waHistorySync.Conversation{ID: proto.String(fmt.Sprint("C", c))}
		for m := range c * 2 {
			chat.Messages = append(chat.Messages, &waHistorySync.HistorySyncMsg{Message: message(fmt.Sprintf("C%dM%d", c, m))})
		}
		part.Conversations = append(part.Conversations, chat)
	}
	body, err := proto.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func message(id string) *waWeb.WebMessageInfo {
	return &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String(id)}}
}

func names(t testing.TB, part *historyPart) []string {
	t.Helper()
	var found []string
	for {
		entry, err := part.peek()
		if err != nil {
			t.Fatal(err)
		}
		if entry == nil {
			return found
		}
		if entry.begins {
			found = append(found, entry.chat.GetID())
		} else {
			found = append(found, entry.message.GetKey().GetID())
		}
		part.advance()
	}
}

func TestAPartIsReadFromAnyPlace(t *testing.T) {
	folder := t.TempDir()
	part, err := unpackPart(&pb.ReadHistory{Folder: folder}, packed(t, aPart(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer part.close()
	if part.head.GetChunkOrder() != 3 || part.head.GetProgress() != 40 || len(part.head.GetPhoneNumberToLidMappings()) != 1 {
		t.Errorf("head: %v", part.head)
	}
	if len(part.head.GetConversations())+len(part.head.GetStatusV3Messages()) != 0 {
		t.Error("the head has messages in it")
	}
	whole := names(t, part)
	want := []string{"C0", "C1", "C1M0", "C1M1", "C2", "C2M0", "C2M1", "C2M2", "C2M3", "S0"}
	if fmt.Sprint(whole) != fmt.Sprint(want) {
		t.Fatalf("read %v", whole)
	}
	for _, place := range []int{9, 0, 4, 5, 10, 3} {
		if err := part.seek(uint64(place)); err != nil {
			t.Fatal(err)
		}
		if rest := names(t, part); fmt.Sprint(rest) != fmt.Sprint(want[place:]) {
			t.Errorf("from %d: %v", place, rest)
		}
	}
	if err := part.seek(11); err == nil {
		t.Error("there is nothing at 11")
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("files with a name: %v", left)
	}
}

// code returns the failure's code, empty if it is another error or none.
func code(err error) string {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

func TestAPartThatIsTooLargeUnpacked(t *testing.T) {
	folder, body := t.TempDir(), packed(t, bytes.Repeat([]byte{0}, 1<<20))
	if _, err := unpackPart(&pb.ReadHistory{Folder: folder, MaxPartBytes: 1 << 19}, body); code(err) != "media_too_large" {
		t.Errorf("a part of 1 MiB where half of that is allowed: %v", err)
	}
	// A chat that claims to be larger than what is read into memory.
	claim := append([]byte{2<<3 | 2}, 0xff, 0xff, 0xff, 0xff, 0x0f)
	part := &historyPart{}
	part.file, _ = os.CreateTemp(folder, "")
	defer part.close()
	if _, err := part.file.Write(claim); err != nil {
		t.Fatal(err)
	}
	if err := part.rewind(); err != nil {
		t.Fatal(err)
	}
	if _, err := part.peek(); code(err) != "media_too_large" {
		t.Errorf("a chat of 4 GiB: %v", err)
	}
}

// FuzzPart sees that nothing that is unpacked makes the engine fail otherwise than with a name.
func FuzzPart(f *testing.F) {
	whole := aPart(f)
	for cut := range whole {
		f.Add(whole[:cut])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		part, err := unpackPart(&pb.ReadHistory{Folder: t.TempDir()}, packed(t, body))
		for err == nil {
			var entry *historyEntry
			if entry, err = part.peek(); entry == nil {
				break
			}
			part.advance()
		}
		if part != nil {
			part.close()
		}
		if err != nil && code(err) != "media_corrupt" && code(err) != "media_too_large" {
			t.Errorf("%T: %v", err, err)
		}
	})
}
