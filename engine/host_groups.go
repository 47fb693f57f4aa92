package main

import (
	"context"

	pb "malote.dev/engine/protocol"
	"malote.dev/engine/session"
)

// queryGroups executes what is about groups.
func queryGroups(ctx context.Context, s *session.Session, command *pb.ToEngine) (*pb.Reply, error) {
	switch c := command.Command.(type) {
	case *pb.ToEngine_CreateGroup:
		result, err := s.CreateGroup(ctx, c.CreateGroup)
		return &pb.Reply{Result: &pb.Reply_Group{Group: result}}, err
	case *pb.ToEngine_GetGroup:
		result, err := s.GetGroup(ctx, c.GetGroup)
		return &pb.Reply{Result: &pb.Reply_Group{Group: result}}, err
	case *pb.ToEngine_GetGroups:
		result, err := s.GetGroups(ctx)
		return &pb.Reply{Result: &pb.Reply_Groups{Groups: result}}, err
	case *pb.ToEngine_ChangeGroup:
		return nil, s.ChangeGroup(ctx, c.ChangeGroup)
	case *pb.ToEngine_ChangeParticipants:
		result, err := s.ChangeParticipants(ctx, c.ChangeParticipants)
		return &pb.Reply{Result: &pb.Reply_Participants{Participants: result}}, err
	case *pb.ToEngine_GetJoinRequests:
		result, err := s.GetJoinRequests(ctx, c.GetJoinRequests)
		return &pb.Reply{Result: &pb.Reply_JoinRequests{JoinRequests: result}}, err
	case *pb.ToEngine_GetInvite:
		result, err := s.GetInvite(ctx, c.GetInvite)
		return &pb.Reply{Result: &pb.Reply_Invite{Invite: result}}, err
	case *pb.ToEngine_InspectInvite:
		result, err := s.InspectInvite(ctx, c.InspectInvite)
		return &pb.Reply{Result: &pb.Reply_Group{Group: result}}, err
	case *pb.ToEngine_JoinGroup:
		result, err := s.JoinGroup(ctx, c.JoinGroup)
		return &pb.Reply{Result: &pb.Reply_JoinGroup{JoinGroup: result}}, err
	case *pb.ToEngine_LeaveGroup:
		return nil, s.LeaveGroup(ctx, c.LeaveGroup)
	default:
		return queryPeople(ctx, s, command)
	}
}
