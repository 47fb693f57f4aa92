package session

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

func TestWhatANewsletterSaysOfItself(t *testing.T) {
	var told types.NewsletterMetadata
	err := json.Unmarshal([]byte(`{
		"id": "120363000000000001@newsletter", "state": {"type": "ACTIVE"},
		"thread_metadata": {"creation_time": "1700000000", "invite": "AbCd", "name": {"text": "News", "id": "1"},
			"description": {"text": "Fresh", "id": "2"}, "subscribers_count": "7", "verification": "VERIFIED"},
		"viewer_metadata": {"mute": "ON", "role": "OWNER"}}`), &told)
	if err != nil {
		t.Fatal(err)
	}
	found := newsletter(&told)
	if found.Jid != "120363000000000001@newsletter" || found.Name != "News" || found.Description != "Fresh" ||
		found.Invite != "AbCd" || found.Followers != 7 || found.CreatedAtMs != 1_700_000_000_000 || !found.Verified ||
		found.Role != "owner" || !found.Muted || found.State != "active" {
		t.Errorf("%v", found)
	}
	told.ViewerMeta = nil
	if found = newsletter(&told); found.Role != "" || found.Muted {
		t.Errorf("without a viewer: %v", found)
	}
}

func TestTheCodeOfARefusedQueryAboutNewsletters(t *testing.T) {
	refused := types.GraphQLErrors{{Message: "Not Found", Extensions: types.GraphQLErrorExtensions{ErrorCode: 404}}}
	failure := Describe(newsletterError(fmt.Errorf("graphql error: %w", refused)))
	if failure.Code != "rejected" || failure.ServerCode != 404 {
		t.Errorf("%v", failure)
	}
	if newsletterError(nil) != nil {
		t.Error("nothing went wrong")
	}
}

func TestBadCommandsAboutNewsletters(t *testing.T) {
	session := &Session{}
	for _, err := range []error{
		session.ChangeNewsletter(context.Background(), &pb.ChangeNewsletter{Jid: "1@g.us"}),
		second(session.CreateNewsletter(context.Background(), &pb.CreateNewsletter{})),
	} {
		if err == nil || Describe(err).Code != "bad_request" {
			t.Errorf("%v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatWhatsAppSaysOfAReaction(t *testing.T) {
	ack := func(attrs waBinary.Attrs) *waBinary.Node { return &waBinary.Node{Tag: "ack", Attrs: attrs} }
	for _, c := range []struct {
		answer *waBinary.Node
		code   string
	}{
		{ack(waBinary.Attrs{"id": "1"}), ""},
		{ack(waBinary.Attrs{"error": "403"}), "rejected"},
		{ack(waBinary.Attrs{"error": "429"}), "rate_limited"},
		{&waBinary.Node{Tag: "xmlstreamend"}, "not_connected"},
		{nil, "not_connected"},
	} {
		err := refusedBy(c.answer)
		if (err == nil) != (c.code == "") || (err != nil && Describe(err).Code != c.code) {
			t.Errorf("%v: %v", c.answer, err)
		}
	}
}
