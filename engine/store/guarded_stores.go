package store

import (
	"context"
	"maps"
	"slices"
	"time"

	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// guardedStores passes everything on and checks the errors of what takes part in receiving or sending. What it does
// not override (contacts, chat settings, app state, privacy tokens) can be fetched from WhatsApp again.
type guardedStores struct {
	waStore.AllSessionSpecificStores
	guard    *Guard
	ratchets *ratchets
}

// DoDecryptionTxn tells an error of the transaction from one of the ciphertext, which operation returns. Failures of
// the stores within operation were noticed where they happened.
func (s *guardedStores) DoDecryptionTxn(ctx context.Context, operation func(context.Context) error) error {
	var inner error
	err := s.ratchets.decrypting(ctx, func(ctx context.Context) error {
		bounded, cancel := context.WithTimeout(ctx, operationTimeout)
		defer cancel()
		return s.AllSessionSpecificStores.DoDecryptionTxn(bounded, func(ctx context.Context) error {
			inner = operation(ctx)
			return inner
		})
	})
	if inner != nil {
		return err
	}
	return s.guard.check(ctx, err)
}

func (s *guardedStores) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutIdentity(ctx, address, key)
	})
}

func (s *guardedStores) DeleteAllIdentities(ctx context.Context, phone string) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.DeleteAllIdentities(ctx, phone)
	})
}

func (s *guardedStores) DeleteIdentity(ctx context.Context, address string) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.DeleteIdentity(ctx, address)
	})
}

func (s *guardedStores) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	return get(ctx, s.guard, func(ctx context.Context) (bool, error) {
		return s.AllSessionSpecificStores.IsTrustedIdentity(ctx, address, key)
	})
}

func (s *guardedStores) GetSession(ctx context.Context, address string) ([]byte, error) {
	s.ratchets.reading(ctx, address)
	session, err := get(ctx, s.guard, func(ctx context.Context) ([]byte, error) {
		return s.AllSessionSpecificStores.GetSession(ctx, address)
	})
	if err == nil {
		s.ratchets.hasRead(ctx, address, session)
	}
	return session, err
}

func (s *guardedStores) HasSession(ctx context.Context, address string) (bool, error) {
	return get(ctx, s.guard, func(ctx context.Context) (bool, error) {
		return s.AllSessionSpecificStores.HasSession(ctx, address)
	})
}

func (s *guardedStores) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	s.ratchets.reading(ctx, addresses...)
	return get(ctx, s.guard, func(ctx context.Context) (map[string][]byte, error) {
		return s.AllSessionSpecificStores.GetManySessions(ctx, addresses)
	})
}

func (s *guardedStores) PutSession(ctx context.Context, address string, session []byte) error {
	session = s.ratchets.mended(ctx, address, session)
	return s.ratchets.writing(ctx, func() error {
		return s.guard.do(ctx, func(ctx context.Context) error {
			return s.AllSessionSpecificStores.PutSession(ctx, address, session)
		})
	}, address)
}

func (s *guardedStores) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return s.ratchets.writing(ctx, func() error {
		return s.guard.do(ctx, func(ctx context.Context) error {
			return s.AllSessionSpecificStores.PutManySessions(ctx, sessions)
		})
	}, slices.Collect(maps.Keys(sessions))...)
}

func (s *guardedStores) DeleteAllSessions(ctx context.Context, phone string) error {
	return s.ratchets.replacing(ctx, func() error {
		return s.guard.do(ctx, func(ctx context.Context) error {
			return s.AllSessionSpecificStores.DeleteAllSessions(ctx, phone)
		})
	})
}

func (s *guardedStores) DeleteSession(ctx context.Context, address string) error {
	return s.ratchets.replacing(ctx, func() error {
		return s.guard.do(ctx, func(ctx context.Context) error {
			return s.AllSessionSpecificStores.DeleteSession(ctx, address)
		})
	})
}

func (s *guardedStores) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	return s.ratchets.replacing(ctx, func() error {
		return s.guard.do(ctx, func(ctx context.Context) error {
			return s.AllSessionSpecificStores.MigratePNToLID(ctx, pn, lid)
		})
	})
}

func (s *guardedStores) GetOrGenPreKeys(ctx context.Context, count uint32) ([]*keys.PreKey, error) {
	return get(ctx, s.guard, func(ctx context.Context) ([]*keys.PreKey, error) {
		return s.AllSessionSpecificStores.GetOrGenPreKeys(ctx, count)
	})
}

func (s *guardedStores) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	return get(ctx, s.guard, func(ctx context.Context) (*keys.PreKey, error) {
		return s.AllSessionSpecificStores.GenOnePreKey(ctx)
	})
}

func (s *guardedStores) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	return get(ctx, s.guard, func(ctx context.Context) (*keys.PreKey, error) {
		return s.AllSessionSpecificStores.GetPreKey(ctx, id)
	})
}

func (s *guardedStores) RemovePreKey(ctx context.Context, id uint32) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.RemovePreKey(ctx, id)
	})
}

func (s *guardedStores) MarkPreKeysAsUploaded(ctx context.Context, upToID uint32) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.MarkPreKeysAsUploaded(ctx, upToID)
	})
}

func (s *guardedStores) UploadedPreKeyCount(ctx context.Context) (int, error) {
	return get(ctx, s.guard, func(ctx context.Context) (int, error) {
		return s.AllSessionSpecificStores.UploadedPreKeyCount(ctx)
	})
}

func (s *guardedStores) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutSenderKey(ctx, group, user, session)
	})
}

func (s *guardedStores) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	return get(ctx, s.guard, func(ctx context.Context) ([]byte, error) {
		return s.AllSessionSpecificStores.GetSenderKey(ctx, group, user)
	})
}

func (s *guardedStores) PutAppStateSyncKey(ctx context.Context, id []byte, key waStore.AppStateSyncKey) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutAppStateSyncKey(ctx, id, key)
	})
}

func (s *guardedStores) GetAppStateSyncKey(ctx context.Context, id []byte) (*waStore.AppStateSyncKey, error) {
	return get(ctx, s.guard, func(ctx context.Context) (*waStore.AppStateSyncKey, error) {
		return s.AllSessionSpecificStores.GetAppStateSyncKey(ctx, id)
	})
}

func (s *guardedStores) PutMessageSecrets(ctx context.Context, inserts []waStore.MessageSecretInsert) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutMessageSecrets(ctx, inserts)
	})
}

func (s *guardedStores) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	if !storable(chat.User, chat.Server, sender.User, sender.Server, id) {
		return nil
	}
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutMessageSecret(ctx, chat, sender, id, secret)
	})
}

func (s *guardedStores) GetMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	if !storable(chat.User, chat.Server, sender.User, sender.Server, id) {
		return nil, types.EmptyJID, nil
	}
	type secret struct {
		key    []byte
		sender types.JID
	}
	found, err := get(ctx, s.guard, func(ctx context.Context) (found secret, err error) {
		found.key, found.sender, err = s.AllSessionSpecificStores.GetMessageSecret(ctx, chat, sender, id)
		return found, err
	})
	return found.key, found.sender, err
}

func (s *guardedStores) GetBufferedEvent(ctx context.Context, ciphertextHash [32]byte) (*waStore.BufferedEvent, error) {
	return get(ctx, s.guard, func(ctx context.Context) (*waStore.BufferedEvent, error) {
		return s.AllSessionSpecificStores.GetBufferedEvent(ctx, ciphertextHash)
	})
}

func (s *guardedStores) PutBufferedEvent(ctx context.Context, ciphertextHash [32]byte, plaintext []byte, serverTimestamp time.Time) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.PutBufferedEvent(ctx, ciphertextHash, plaintext, serverTimestamp)
	})
}

func (s *guardedStores) ClearBufferedEventPlaintext(ctx context.Context, ciphertextHash [32]byte) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.ClearBufferedEventPlaintext(ctx, ciphertextHash)
	})
}

func (s *guardedStores) AddOutgoingEvent(ctx context.Context, chatJID types.JID, id types.MessageID, format string, plaintext []byte) error {
	return s.guard.do(ctx, func(ctx context.Context) error {
		return s.AllSessionSpecificStores.AddOutgoingEvent(ctx, chatJID, id, format, plaintext)
	})
}
