package session

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
	"malote.dev/engine/store"
)

const (
	maxName    = 25      // characters; WhatsApp's own limit
	maxAbout   = 139     // characters, too
	maxPicture = 4 << 20 // bytes
)

// privacySettings are WhatsApp's settings by the names that GetPrivacy gives them.
var privacySettings = map[string]types.PrivacySettingType{
	"group_add":     types.PrivacySettingTypeGroupAdd,
	"last_seen":     types.PrivacySettingTypeLastSeen,
	"status":        types.PrivacySettingTypeStatus,
	"profile":       types.PrivacySettingTypeProfile,
	"read_receipts": types.PrivacySettingTypeReadReceipts,
	"online":        types.PrivacySettingTypeOnline,
	"call_add":      types.PrivacySettingTypeCallAdd,
	"messages":      types.PrivacySettingTypeMessages,
	"defense":       types.PrivacySettingTypeDefense,
	"stickers":      types.PrivacySettingTypeStickers,
}

// SetPrivacy changes one setting and returns all as they are then.
func (s *Session) SetPrivacy(ctx context.Context, command *pb.SetPrivacy) (*pb.GetPrivacyResult, error) {
	name, known := privacySettings[command.Name]
	if !known {
		return nil, fail("bad_request", "%q is no privacy setting, but one of %s", command.Name, privacyNames())
	}
	if command.Value == "" {
		return nil, fail("bad_request", "a privacy setting needs a value: all, contacts, none …")
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	if _, err := s.client.SetPrivacySetting(ctx, name, types.PrivacySetting(command.Value)); err != nil {
		return nil, err
	}
	return s.GetPrivacy(ctx)
}

func privacyNames() string {
	names := make([]string, 0, len(privacySettings))
	for name := range privacySettings {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// SetAbout changes the text about the account.
func (s *Session) SetAbout(ctx context.Context, command *pb.SetAbout) error {
	if length := utf8.RuneCountInString(command.Text); length > maxAbout {
		return fail("bad_request", "a text of %d characters about the account is longer than %d", length, maxAbout)
	}
	if err := s.ready(); err != nil {
		return err
	}
	return s.client.SetStatusMessage(ctx, types.SetStatusInput{Text: &command.Text})
}

// SetName changes the name that the account shows to others.
func (s *Session) SetName(ctx context.Context, command *pb.SetName) error {
	if length := utf8.RuneCountInString(command.Name); length == 0 || length > maxName {
		return fail("bad_request", "a name has 1 to %d characters, not %d", maxName, length)
	}
	return s.share(ctx, appstate.BuildSettingPushName(command.Name))
}

// SetPicture changes the account's own picture, or takes it away.
func (s *Session) SetPicture(ctx context.Context, command *pb.SetPicture) (*pb.SetPictureResult, error) {
	if len(command.Jpeg) > 0 {
		if err := checkJPEG(command.Jpeg); err != nil {
			return nil, err
		}
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	id, err := s.setPicture(ctx, types.EmptyJID, command.Jpeg)
	if err != nil {
		return nil, err
	}
	return &pb.SetPictureResult{Id: id}, nil
}

// setPicture sets the picture of a group, or without one the account's own. Its id is empty if it was taken away.
func (s *Session) setPicture(ctx context.Context, group types.JID, jpeg []byte) (string, error) {
	if len(jpeg) == 0 {
		// Not an empty picture: whatsmeow takes only nil for none.
		_, err := s.client.SetGroupPhoto(ctx, group, nil)
		return "", err
	}
	return s.client.SetGroupPhoto(ctx, group, jpeg)
}

func checkJPEG(image []byte) error {
	if !bytes.HasPrefix(image, []byte("\xff\xd8\xff")) {
		return fail("bad_request", "the picture is not a JPEG")
	}
	if len(image) > maxPicture {
		return fail("bad_request", "a picture of %d bytes is larger than %d", len(image), maxPicture)
	}
	return nil
}

var disappearingTimers = []time.Duration{
	whatsmeow.DisappearingTimerOff, whatsmeow.DisappearingTimer24Hours,
	whatsmeow.DisappearingTimer7Days, whatsmeow.DisappearingTimer90Days,
}

// SetDisappearing sets after how long messages disappear: in a chat, or without one in new chats of this account.
func (s *Session) SetDisappearing(ctx context.Context, command *pb.SetDisappearing) error {
	timer := time.Duration(command.Seconds) * time.Second
	if !slices.Contains(disappearingTimers, timer) {
		return fail("bad_request", "messages disappear after 86400, 604800 or 7776000 seconds, or with 0 never, not after %d", command.Seconds)
	}
	if command.Chat == "" {
		if err := s.ready(); err != nil {
			return err
		}
		return s.client.SetDefaultDisappearingTimer(ctx, timer)
	}
	chat, err := parseGroup(command.Chat)
	if err != nil {
		chat, err = parsePerson(command.Chat)
	}
	if err != nil {
		return fail("bad_request", "%q is not the JID of a person or group", command.Chat)
	}
	if err := s.ready(); err != nil {
		return err
	}
	// To a person it goes as a message, which is encrypted again for the reason that encryptAndSend gives.
	for range sendAttempts {
		err = s.client.SetDisappearingTimer(store.NoteSessions(ctx), chat, timer, time.Time{})
		if !errors.Is(err, store.ErrSessionChanged) {
			break
		}
	}
	return err
}
