package session

import (
	"context"
	"regexp"
	"slices"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"malote.dev/engine/intake"
	pb "malote.dev/engine/protocol"
)

// WhatsApp's own limits, in characters and people.
const (
	maxGroupName    = 100
	maxGroupTopic   = 2048
	maxParticipants = 1024
)

// CreateGroup creates a group that belongs to this account. Who could not be added carries WhatsApp's code.
func (s *Session) CreateGroup(ctx context.Context, command *pb.CreateGroup) (*pb.Group, error) {
	people, err := parsePeople(command.Participants)
	if err != nil {
		return nil, err
	}
	if err := checkGroupName(command.Name); err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	info, err := s.client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: command.Name, Participants: people})
	if err != nil {
		return nil, err
	}
	return s.group(ctx, info), nil
}

// GetGroup describes a group that the account is in.
func (s *Session) GetGroup(ctx context.Context, command *pb.GetGroup) (*pb.Group, error) {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	info, err := s.client.GetGroupInfo(ctx, jid)
	if err != nil {
		return nil, err
	}
	return s.group(ctx, info), nil
}

// GetGroups describes the groups that the account is in.
func (s *Session) GetGroups(ctx context.Context) (*pb.Groups, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	infos, err := s.client.GetJoinedGroups(ctx)
	if err != nil {
		return nil, err
	}
	result := &pb.Groups{}
	for _, info := range infos {
		result.Groups = append(result.Groups, s.group(ctx, info))
	}
	return result, nil
}

// ChangeGroup changes what is set, one after the other, until WhatsApp refuses one.
func (s *Session) ChangeGroup(ctx context.Context, command *pb.ChangeGroup) error {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return err
	}
	if err := checkGroupChange(command); err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	for _, change := range s.groupChanges(ctx, jid, command) {
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

func checkGroupChange(command *pb.ChangeGroup) error {
	if command.Name != nil {
		if err := checkGroupName(*command.Name); err != nil {
			return err
		}
	}
	if length := utf8.RuneCountInString(command.GetTopic()); length > maxGroupTopic {
		return fail("bad_request", "a topic of %d characters is longer than %d", length, maxGroupTopic)
	}
	if len(command.Picture) > 0 {
		return checkJPEG(command.Picture)
	}
	return nil
}

func checkGroupName(name string) error {
	if length := utf8.RuneCountInString(name); length == 0 || length > maxGroupName {
		return fail("bad_request", "a group's name has 1 to %d characters, not %d", maxGroupName, length)
	}
	return nil
}

func (s *Session) groupChanges(ctx context.Context, jid types.JID, command *pb.ChangeGroup) (changes []func() error) {
	if command.Name != nil {
		changes = append(changes, func() error { return s.client.SetGroupName(ctx, jid, *command.Name) })
	}
	if command.Topic != nil {
		changes = append(changes, func() error { return s.client.SetGroupTopic(ctx, jid, "", "", *command.Topic) })
	}
	if command.Picture != nil {
		changes = append(changes, func() error {
			_, err := s.setPicture(ctx, jid, command.Picture)
			return err
		})
	}
	if command.Locked != nil {
		changes = append(changes, func() error { return s.client.SetGroupLocked(ctx, jid, *command.Locked) })
	}
	if command.Announce != nil {
		changes = append(changes, func() error { return s.client.SetGroupAnnounce(ctx, jid, *command.Announce) })
	}
	if command.JoinApproval != nil {
		changes = append(changes, func() error { return s.client.SetGroupJoinApprovalMode(ctx, jid, *command.JoinApproval) })
	}
	if command.MembersAdd != nil {
		mode := types.GroupMemberAddModeAdmin
		if *command.MembersAdd {
			mode = types.GroupMemberAddModeAllMember
		}
		changes = append(changes, func() error { return s.client.SetGroupMemberAddMode(ctx, jid, mode) })
	}
	return changes
}

var participantChanges = map[pb.ChangeParticipants_Action]whatsmeow.ParticipantChange{
	pb.ChangeParticipants_ADD:     whatsmeow.ParticipantChangeAdd,
	pb.ChangeParticipants_REMOVE:  whatsmeow.ParticipantChangeRemove,
	pb.ChangeParticipants_PROMOTE: whatsmeow.ParticipantChangePromote,
	pb.ChangeParticipants_DEMOTE:  whatsmeow.ParticipantChangeDemote,
}

var requestChanges = map[pb.ChangeParticipants_Action]whatsmeow.ParticipantRequestChange{
	pb.ChangeParticipants_APPROVE: whatsmeow.ParticipantChangeApprove,
	pb.ChangeParticipants_REJECT:  whatsmeow.ParticipantChangeReject,
}

// ChangeParticipants changes who is in a group and in which role. WhatsApp says for each person whether it did.
func (s *Session) ChangeParticipants(ctx context.Context, command *pb.ChangeParticipants) (*pb.Participants, error) {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return nil, err
	}
	people, err := parsePeople(command.Participants)
	if err != nil {
		return nil, err
	}
	if len(people) == 0 {
		return nil, fail("bad_request", "no participants")
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	var changed []types.GroupParticipant
	if change, ok := participantChanges[command.Action]; ok {
		changed, err = s.client.UpdateGroupParticipants(ctx, jid, people, change)
	} else if change, ok := requestChanges[command.Action]; ok {
		changed, err = s.client.UpdateGroupRequestParticipants(ctx, jid, people, change)
	} else {
		err = fail("bad_request", "no such change of participants: %d", command.Action)
	}
	if err != nil {
		return nil, err
	}
	return &pb.Participants{Participants: s.participants(ctx, changed)}, nil
}

// GetJoinRequests lists who waits to be let into a group.
func (s *Session) GetJoinRequests(ctx context.Context, command *pb.GetJoinRequests) (*pb.JoinRequests, error) {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	requests, err := s.client.GetGroupRequestParticipants(ctx, jid)
	if err != nil {
		return nil, err
	}
	result := &pb.JoinRequests{}
	for _, request := range requests {
		result.Entries = append(result.Entries, &pb.JoinRequests_Entry{
			Identity: s.identify(ctx, request.JID, types.EmptyJID), RequestedAtMs: milliseconds(request.RequestedAt),
		})
	}
	return result, nil
}

// GetInvite returns the link by which one can join a group, a new one if asked for.
func (s *Session) GetInvite(ctx context.Context, command *pb.GetInvite) (*pb.InviteResult, error) {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	link, err := s.client.GetGroupInviteLink(ctx, jid, command.Reset_)
	if err != nil {
		return nil, err
	}
	return &pb.InviteResult{Link: link}, nil
}

// InspectInvite describes the group behind a link without joining it.
func (s *Session) InspectInvite(ctx context.Context, command *pb.InspectInvite) (*pb.Group, error) {
	code, err := parseInvite(command.Link)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	info, err := s.client.GetGroupInfoFromLink(ctx, code)
	if err != nil {
		return nil, err
	}
	return s.group(ctx, info), nil
}

// JoinGroup joins a group by its link. Where admins decide who joins, it only asks to be let in.
func (s *Session) JoinGroup(ctx context.Context, command *pb.JoinGroup) (*pb.JoinGroupResult, error) {
	code, err := parseInvite(command.Link)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	jid, err := s.client.JoinGroupWithLink(ctx, code)
	if err != nil {
		return nil, err
	}
	return &pb.JoinGroupResult{Jid: jid.String()}, nil
}

// LeaveGroup leaves a group.
func (s *Session) LeaveGroup(ctx context.Context, command *pb.LeaveGroup) error {
	jid, err := parseGroup(command.Jid)
	if err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	return s.client.LeaveGroup(ctx, jid)
}

func (s *Session) group(ctx context.Context, info *types.GroupInfo) *pb.Group {
	group := &pb.Group{
		Jid:          info.JID.String(),
		Name:         info.Name,
		Topic:        info.Topic,
		Owner:        s.identify(ctx, info.OwnerJID, info.OwnerPN),
		CreatedAtMs:  milliseconds(info.GroupCreated),
		Locked:       info.IsLocked,
		Announce:     info.IsAnnounce,
		JoinApproval: info.IsJoinApprovalRequired,
		MembersAdd:   info.MemberAddMode == types.GroupMemberAddModeAllMember,
		Community:    info.IsParent,
		Participants: s.participants(ctx, info.Participants),
		Size:         uint32(max(info.ParticipantCount, len(info.Participants))),
	}
	if info.IsEphemeral {
		group.DisappearingS = info.DisappearingTimer
	}
	if !info.LinkedParentJID.IsEmpty() {
		group.Parent = info.LinkedParentJID.String()
	}
	return group
}

func (s *Session) participants(ctx context.Context, people []types.GroupParticipant) []*pb.Participant {
	result := make([]*pb.Participant, 0, len(people))
	for _, person := range people {
		alt := person.PhoneNumber
		if person.JID.Server == types.DefaultUserServer {
			alt = person.LID
		}
		result = append(result, &pb.Participant{
			Identity: s.identify(ctx, person.JID, alt),
			Admin:    person.IsAdmin,
			Owner:    person.IsSuperAdmin,
			Error:    int32(person.Error),
		})
	}
	return result
}

func parseGroup(text string) (types.JID, error) {
	jid, err := parseChat(text)
	if err != nil || jid.Server != types.GroupServer {
		return types.EmptyJID, fail("bad_request", "%q is not the JID of a group", text)
	}
	return jid, nil
}

// parsePeople leaves out who is named twice.
func parsePeople(texts []string) ([]types.JID, error) {
	if len(texts) > maxParticipants {
		return nil, fail("bad_request", "%d people are more than %d", len(texts), maxParticipants)
	}
	people := make([]types.JID, 0, len(texts))
	for _, text := range texts {
		person, err := parsePerson(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(people, person) {
			people = append(people, person)
		}
	}
	return people, nil
}

// inviteLink matches a link, or the code at its end.
var inviteLink = regexp.MustCompile(`^(?:(?:https?://)?chat\.whatsapp\.com/(?:invite/)?)?([0-9A-Za-z_-]{10,40})/?(?:\?.*)?$`)

func parseInvite(link string) (string, error) {
	match := inviteLink.FindStringSubmatch(link)
	if match == nil {
		return "", fail("bad_request", "%q is not a link to a group, such as %sAbCdEfGhIjKlMnOpQrStUv", link, whatsmeow.InviteLinkPrefix)
	}
	return match[1], nil
}

// beforeGroupChange renames what whatsmeow misreads: it takes every word about the approval of new members for its
// beginning, also the one that it has ended.
func beforeGroupChange(next intake.Handler) intake.Handler {
	return func(ctx context.Context, node *waBinary.Node) {
		children, _ := node.Content.([]waBinary.Node)
		for i := range children {
			mode := children[i].GetChildByTag("group_join")
			if children[i].Tag == "membership_approval_mode" && mode.AttrGetter().OptionalString("state") == "off" {
				children[i].Tag = "not_membership_approval_mode"
			}
		}
		next(ctx, node)
	}
}
