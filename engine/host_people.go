package main

import (
	"context"

	pb "malote.dev/engine/protocol"
	"malote.dev/engine/session"
)

// queryPeople executes what is about people, and about the account as they see it.
func queryPeople(ctx context.Context, s *session.Session, command *pb.ToEngine) (*pb.Reply, error) {
	switch c := command.Command.(type) {
	case *pb.ToEngine_GetPeople:
		result, err := s.GetPeople(ctx, c.GetPeople)
		return &pb.Reply{Result: &pb.Reply_People{People: result}}, err
	case *pb.ToEngine_GetBlocklist:
		result, err := s.GetBlocklist(ctx)
		return &pb.Reply{Result: &pb.Reply_Blocklist{Blocklist: result}}, err
	case *pb.ToEngine_Block:
		result, err := s.Block(ctx, c.Block)
		return &pb.Reply{Result: &pb.Reply_Blocklist{Blocklist: result}}, err
	case *pb.ToEngine_RejectCall:
		return nil, s.RejectCall(ctx, c.RejectCall)
	case *pb.ToEngine_SetPrivacy:
		result, err := s.SetPrivacy(ctx, c.SetPrivacy)
		return &pb.Reply{Result: &pb.Reply_Privacy{Privacy: result}}, err
	case *pb.ToEngine_SetAbout:
		return nil, s.SetAbout(ctx, c.SetAbout)
	case *pb.ToEngine_SetName:
		return nil, s.SetName(ctx, c.SetName)
	case *pb.ToEngine_SetPicture:
		result, err := s.SetPicture(ctx, c.SetPicture)
		return &pb.Reply{Result: &pb.Reply_SetPicture{SetPicture: result}}, err
	case *pb.ToEngine_SetChat:
		return nil, s.SetChat(ctx, c.SetChat)
	case *pb.ToEngine_SetDisappearing:
		return nil, s.SetDisappearing(ctx, c.SetDisappearing)
	default:
		return queryNewsletters(ctx, s, command)
	}
}
