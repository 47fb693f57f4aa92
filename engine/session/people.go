package session

import (
	"context"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	pb "malote.dev/engine/protocol"
)

// GetPeople tells what people show of themselves. Who is not on WhatsApp is left out.
func (s *Session) GetPeople(ctx context.Context, command *pb.GetPeople) (*pb.People, error) {
	people, err := parsePeople(command.Jids)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	result := &pb.People{}
	if len(people) == 0 {
		return result, nil
	}
	found, err := s.client.GetUserInfo(ctx, people)
	if err != nil {
		return nil, err
	}
	for _, person := range people {
		info := found[person]
		if len(info.Devices) == 0 && info.LID.IsEmpty() {
			continue
		}
		entry := &pb.People_Entry{
			Identity:  s.identify(ctx, person, info.LID),
			About:     info.Status,
			PictureId: info.PictureID,
			Devices:   uint32(len(info.Devices)),
		}
		// whatsmeow reads the name, but keeps it only with its contacts.
		if contact, err := s.device.Contacts.GetContact(ctx, person); err == nil {
			entry.VerifiedName = contact.BusinessName
		}
		result.Entries = append(result.Entries, entry)
	}
	return result, nil
}

// GetBlocklist lists whom the account has blocked.
func (s *Session) GetBlocklist(ctx context.Context) (*pb.Blocklist, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	list, err := s.client.GetBlocklist(ctx)
	if err != nil {
		return nil, err
	}
	return s.blocklist(ctx, list), nil
}

// Block blocks a person, or ends that.
func (s *Session) Block(ctx context.Context, command *pb.Block) (*pb.Blocklist, error) {
	person, err := parsePerson(command.Jid)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	action := events.BlocklistChangeActionUnblock
	if command.Blocked {
		action = events.BlocklistChangeActionBlock
	}
	list, err := s.client.UpdateBlocklist(ctx, person, action)
	if err != nil {
		return nil, err
	}
	return s.blocklist(ctx, list), nil
}

// RejectCall turns down a call that rings. WhatsApp does not say whether it still did.
func (s *Session) RejectCall(ctx context.Context, command *pb.RejectCall) error {
	caller, err := parsePerson(command.From)
	if err != nil {
		return err
	}
	if command.CallId == "" {
		return fail("bad_request", "a call has an id")
	}
	if err := s.ready(); err != nil {
		return err
	}
	return s.client.RejectCall(ctx, caller, command.CallId)
}

func (s *Session) blocklist(ctx context.Context, list *types.Blocklist) *pb.Blocklist {
	result := &pb.Blocklist{}
	for _, person := range list.JIDs {
		result.People = append(result.People, s.identify(ctx, person, types.EmptyJID))
	}
	return result
}

func parsePerson(text string) (types.JID, error) {
	jid, err := parseChat(text)
	isPerson := jid.Server == types.DefaultUserServer || jid.Server == types.HiddenUserServer
	if err != nil || !isPerson || strings.Trim(jid.User, "0123456789") != "" {
		return types.EmptyJID, fail("bad_request", "%q is not the JID of a person", text)
	}
	return jid, nil
}
