package session

import (
	"context"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

func TestLinksToGroups(t *testing.T) {
	const code = "AbCdEfGhIjKlMnOpQrStUv"
	for _, link := range []string{
		code, "https://chat.whatsapp.com/" + code, "http://chat.whatsapp.com/" + code, "chat.whatsapp.com/" + code,
		"https://chat.whatsapp.com/invite/" + code, "https://chat.whatsapp.com/" + code + "/", "https://chat.whatsapp.com/" + code + "?mode=wwt",
	} {
		if found, err := parseInvite(link); err != nil || found != code {
			t.Errorf("%s: %q, %v", link, found, err)
		}
	}
	for _, link := range []string{"", "short", "https://chat.whatsapp.com/", "https://example.com/" + code, code + "/x", "https://chat.whatsapp.com/" + code + " "} {
		if found, err := parseInvite(link); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%s: %q, %v", link, found, err)
		}
	}
}

func TestPeopleAndGroupsAreNotConfused(t *testing.T) {
	for _, person := range []string{"5511900000001@s.whatsapp.net", "123456@lid"} {
		if _, err := parsePerson(person); err != nil {
			t.Errorf("%s: %v", person, err)
		}
	}
	for _, other := range []string{"", "ana", "120363000000000001@g.us", "status@broadcast", "5511900000001:1@s.whatsapp.net", "ana@s.whatsapp.net"} {
		if _, err := parsePerson(other); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%s was taken for a person: %v", other, err)
		}
	}
	if _, err := parseGroup("120363000000000001@g.us"); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "g.us", "123456@lid", "status@broadcast"} {
		if _, err := parseGroup(other); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%s was taken for a group: %v", other, err)
		}
	}
}

func TestPeopleNamedTwiceAreOne(t *testing.T) {
	people, err := parsePeople([]string{"1@lid", "2@lid", "1@lid"})
	if err != nil || len(people) != 2 {
		t.Errorf("%v, %v", people, err)
	}
	if _, err := parsePeople(make([]string, maxParticipants+1)); err == nil || Describe(err).Code != "bad_request" {
		t.Errorf("too many: %v", err)
	}
}

func TestGroupChangesAreCheckedBeforeTheFirstIsMade(t *testing.T) {
	long := make([]byte, maxGroupTopic+1)
	for i := range long {
		long[i] = 'x'
	}
	for _, change := range []*pb.ChangeGroup{
		{Name: proto.String("")},
		{Name: proto.String(string(long))},
		{Topic: proto.String(string(long))},
		{Picture: []byte("no JPEG")},
		{Picture: append([]byte("\xff\xd8\xff"), make([]byte, maxPicture)...)},
	} {
		if err := checkGroupChange(change); err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%.40v: %v", change, err)
		}
	}
	allowed := &pb.ChangeGroup{Name: proto.String("Família"), Topic: proto.String(""), Picture: []byte{}}
	if err := checkGroupChange(allowed); err != nil {
		t.Error(err)
	}
}

func TestWhatIsChangedThereAndBackWithinASecondIsThreeChanges(t *testing.T) {
	s := newDetachedSession()
	s.intake.Open()
	group, at := types.NewJID("1", types.GroupServer), time.Unix(1700000000, 0)
	keys := map[string]bool{}
	for _, stanza := range []struct {
		id     string
		locked bool
	}{{"a", true}, {"b", false}, {"c", true}, {"c", true}} {
		node := &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"from": group, "id": stanza.id}}
		s.intake.Wrap(node.Tag, func(ctx context.Context, _ *waBinary.Node) {
			change := &events.GroupInfo{JID: group, Timestamp: at, Locked: &types.GroupLocked{IsLocked: stanza.locked}}
			keys[s.other(ctx, change).Key] = true
		})(t.Context(), node)
	}
	if len(keys) != 3 {
		t.Errorf("%d keys for three changes, one of which came twice", len(keys))
	}
}

func TestAMessageThatOnlyBringsAKeyIsNone(t *testing.T) {
	key := &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("1@g.us")}
	if !onlyGroupKey(&waE2E.Message{SenderKeyDistributionMessage: key}) {
		t.Error("a key was taken for a message")
	}
	if onlyGroupKey(&waE2E.Message{SenderKeyDistributionMessage: key, Conversation: proto.String("olá")}) || onlyGroupKey(&waE2E.Message{}) {
		t.Error("a message was taken for a key")
	}
}

func TestTheEndOfApprovalIsNotTakenForItsBeginning(t *testing.T) {
	for state, wanted := range map[string]string{"on": "membership_approval_mode", "off": "not_membership_approval_mode"} {
		node := &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"from": types.NewJID("1", types.GroupServer)}, Content: []waBinary.Node{{
			Tag: "membership_approval_mode", Content: []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": state}}},
		}}}
		var tag string
		beforeGroupChange(func(_ context.Context, node *waBinary.Node) { tag = node.GetChildren()[0].Tag })(t.Context(), node)
		if tag != wanted {
			t.Errorf("%s: %s", state, tag)
		}
	}
}
