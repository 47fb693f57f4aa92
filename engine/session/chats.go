package session

import (
	"context"
	"errors"
	"reflect"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	pb "malote.dev/engine/protocol"
)

// settingAttempts is how often a patch is made that meets what another device has set meanwhile.
const settingAttempts = 3

// SetChat changes a setting of a chat on all devices of the account.
func (s *Session) SetChat(ctx context.Context, command *pb.SetChat) error {
	chat, err := parseChat(command.Chat)
	if err != nil {
		return err
	}
	patch, err := patchOf(chat, command)
	if err != nil {
		return err
	}
	return s.share(ctx, patch)
}

// share changes something on all devices of the account.
func (s *Session) share(ctx context.Context, patch appstate.PatchInfo) error {
	if err := s.ready(); err != nil {
		return err
	}
	key, err := s.device.AppStateKeys.GetLatestAppStateSyncKeyID(ctx)
	if err != nil {
		return err
	}
	if key == nil {
		return fail("no_app_state_key", "the phone has not shared the key of these settings yet: see that it is online")
	}
	if err := s.sendSetting(ctx, patch); err != nil {
		if errors.Is(err, whatsmeow.ErrAppStateUpdate) {
			return fail("rejected", "%s", err)
		}
		return err
	}
	return nil
}

// sendSetting sends a patch to what is known of its collection. whatsmeow reads a collection one reader at a time, but
// sends without regard to readers: while it reads, as it does after pairing, a patch meets a conflict that cannot be
// solved, since both write down the same.
func (s *Session) sendSetting(ctx context.Context, patch appstate.PatchInfo) error {
	s.settings.Lock()
	defer s.settings.Unlock()
	onlyIfNotRead := true
	for attempt := 1; ; attempt++ {
		if err := s.client.FetchAppState(ctx, patch.Type, false, onlyIfNotRead); err != nil {
			return err
		}
		err := s.client.SendAppState(ctx, patch)
		if err == nil || !errors.Is(err, whatsmeow.ErrAppStateUpdate) || attempt == settingAttempts {
			return err
		}
		onlyIfNotRead = false
	}
}

func patchOf(chat types.JID, command *pb.SetChat) (appstate.PatchInfo, error) {
	var at time.Time
	if command.LastAtMs != 0 {
		at = time.UnixMilli(command.LastAtMs)
	}
	var last *waCommon.MessageKey
	if command.LastId != "" {
		last = &waCommon.MessageKey{
			RemoteJID: proto.String(chat.String()),
			FromMe:    proto.Bool(command.LastFromMe),
			ID:        proto.String(command.LastId),
		}
		if command.LastSender != "" && !command.LastFromMe {
			last.Participant = proto.String(command.LastSender)
		}
	}
	switch change := command.Change.(type) {
	case *pb.SetChat_Archived:
		return appstate.BuildArchive(chat, change.Archived, at, last), nil
	case *pb.SetChat_Pinned:
		return appstate.BuildPin(chat, change.Pinned), nil
	case *pb.SetChat_MutedUntilMs:
		if change.MutedUntilMs == 0 {
			return appstate.BuildMuteAbs(chat, false, nil), nil
		}
		return appstate.BuildMuteAbs(chat, true, &change.MutedUntilMs), nil
	case *pb.SetChat_Read:
		return appstate.BuildMarkChatAsRead(chat, change.Read, at, last), nil
	case *pb.SetChat_Star:
		return starPatch(chat, change.Star)
	default:
		return appstate.PatchInfo{}, fail("bad_request", "no setting of the chat is given")
	}
}

func starPatch(chat types.JID, star *pb.Star) (appstate.PatchInfo, error) {
	if star.MessageId == "" {
		return appstate.PatchInfo{}, fail("bad_request", "a message has an id")
	}
	// The chat itself stands for "whoever else is in it", and for this account.
	sender := chat
	if star.Sender != "" && !star.FromMe {
		var err error
		if sender, err = parsePerson(star.Sender); err != nil {
			return appstate.PatchInfo{}, err
		}
	}
	return appstate.BuildStar(chat, sender, star.MessageId, star.FromMe, star.Starred), nil
}

// onSharedSettings takes what is about how settings are shared, not about a setting: an event of its own tells of each.
func (s *Session) onSharedSettings(event any) bool {
	switch e := event.(type) {
	case *events.AppState, *events.AppStateSyncComplete:
		return true
	case *events.AppStateSyncError:
		s.log.Warnf("cannot read the shared settings %s: %v", e.Name, e.Error)
		return true
	case *events.Archive:
		return e.FromFullSync && !e.Action.GetArchived()
	case *events.Pin:
		return e.FromFullSync && !e.Action.GetPinned()
	case *events.Mute:
		return e.FromFullSync && !e.Action.GetMuted()
	default:
		// A device that reads all settings at once, as a new one does, tells of the chats that are not as others
		// are, and not of every contact and every star.
		value := reflect.Indirect(reflect.ValueOf(event))
		if value.Kind() != reflect.Struct {
			return false
		}
		all, found := fieldOf[bool](value, "FromFullSync")
		return found && all
	}
}

// keepSharedKeys stores the keys of shared settings that the phone has sent. whatsmeow does it, too, but beside the
// event: the message could be confirmed, and the process end, before it has.
func (s *Session) keepSharedKeys(ctx context.Context, share *waE2E.AppStateSyncKeyShare) bool {
	for _, key := range share.GetKeys() {
		fingerprint, err := proto.Marshal(key.GetKeyData().GetFingerprint())
		if err != nil {
			s.log.Warnf("a key of shared settings is not understood: %v", err)
			continue
		}
		err = s.device.AppStateKeys.PutAppStateSyncKey(ctx, key.GetKeyID().GetKeyID(), waStore.AppStateSyncKey{
			Data:        key.GetKeyData().GetKeyData(),
			Fingerprint: fingerprint,
			Timestamp:   key.GetKeyData().GetTimestamp(),
		})
		if err != nil {
			s.log.Warnf("cannot store a key of shared settings: %v", err)
			return false
		}
	}
	return s.desk.IsOpen()
}
