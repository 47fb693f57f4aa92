package identity

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

func TestBothIdentities(t *testing.T) {
	phone := types.JID{User: "5511", Device: 3, Server: types.DefaultUserServer}
	lid := types.JID{User: "777", Device: 3, Server: types.HiddenUserServer}
	group := types.NewJID("123", types.GroupServer)
	knows := func(_ context.Context, jid types.JID) types.JID {
		if jid == phone.ToNonAD() {
			return lid.ToNonAD()
		}
		return types.EmptyJID
	}
	nobody := func(context.Context, types.JID) types.JID { return types.EmptyJID }
	unasked := func(context.Context, types.JID) types.JID {
		t.Error("asked although both are known")
		return types.EmptyJID
	}
	for name, c := range map[string]struct {
		jid, alt types.JID
		lookup   Lookup
		wanted   *pb.Identity
	}{
		"phone with its LID":      {phone, lid, unasked, &pb.Identity{Jid: "5511@s.whatsapp.net", Phone: "5511", Lid: "777"}},
		"LID with its phone":      {lid, phone, unasked, &pb.Identity{Jid: "777@lid", Phone: "5511", Lid: "777"}},
		"phone, LID in the store": {phone, types.EmptyJID, knows, &pb.Identity{Jid: "5511@s.whatsapp.net", Phone: "5511", Lid: "777"}},
		"LID alone":               {lid, types.EmptyJID, nobody, &pb.Identity{Jid: "777@lid", Lid: "777"}},
		"group":                   {group, lid, unasked, &pb.Identity{Jid: "123@g.us"}},
		"no lookup":               {lid, types.EmptyJID, nil, &pb.Identity{Jid: "777@lid", Lid: "777"}},
	} {
		got := Of(t.Context(), c.jid, c.alt, c.lookup)
		if got.Jid != c.wanted.Jid || got.Phone != c.wanted.Phone || got.Lid != c.wanted.Lid {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Of(t.Context(), types.EmptyJID, lid, knows) != nil {
		t.Error("nobody has an identity")
	}
}
