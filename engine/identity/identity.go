// Package identity gives people by both of their identities: phone number and LID.
package identity

import (
	"context"

	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

// Lookup finds the other identity of a person, or an empty JID.
type Lookup func(ctx context.Context, jid types.JID) types.JID

// Of returns what is known of jid. alt is its other identity as WhatsApp sent it along, or empty; then lookup is
// asked. An empty jid gives nil.
func Of(ctx context.Context, jid, alt types.JID, lookup Lookup) *pb.Identity {
	if jid.IsEmpty() {
		return nil
	}
	identity := &pb.Identity{Jid: jid.ToNonAD().String()}
	if !isPerson(jid) {
		return identity
	}
	fill(identity, jid)
	if isPerson(alt) {
		fill(identity, alt)
	}
	if (identity.Phone == "" || identity.Lid == "") && lookup != nil {
		fill(identity, lookup(ctx, jid.ToNonAD()))
	}
	return identity
}

func fill(identity *pb.Identity, jid types.JID) {
	switch jid.Server {
	case types.DefaultUserServer, types.HostedServer, types.LegacyUserServer:
		identity.Phone = jid.User
	case types.HiddenUserServer, types.HostedLIDServer:
		identity.Lid = jid.User
	}
}

func isPerson(jid types.JID) bool {
	switch jid.Server {
	case types.DefaultUserServer, types.HostedServer, types.LegacyUserServer, types.HiddenUserServer, types.HostedLIDServer:
		return jid.User != ""
	default:
		return false
	}
}
