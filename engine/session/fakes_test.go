package session

import (
	"context"

	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// noLIDs knows nobody's other identity.
type noLIDs struct{ waStore.LIDStore }

func (noLIDs) GetPNForLID(context.Context, types.JID) (types.JID, error) { return types.EmptyJID, nil }
func (noLIDs) GetLIDForPN(context.Context, types.JID) (types.JID, error) { return types.EmptyJID, nil }
