package main

import (
	"context"

	pb "malote.dev/engine/protocol"
	"malote.dev/engine/session"
)

// queryNewsletters executes what is about newsletters.
func queryNewsletters(ctx context.Context, s *session.Session, command *pb.ToEngine) (*pb.Reply, error) {
	switch c := command.Command.(type) {
	case *pb.ToEngine_GetNewsletter:
		result, err := s.GetNewsletter(ctx, c.GetNewsletter)
		return &pb.Reply{Result: &pb.Reply_Newsletter{Newsletter: result}}, err
	case *pb.ToEngine_GetNewsletters:
		result, err := s.GetNewsletters(ctx)
		return &pb.Reply{Result: &pb.Reply_Newsletters{Newsletters: result}}, err
	case *pb.ToEngine_CreateNewsletter:
		result, err := s.CreateNewsletter(ctx, c.CreateNewsletter)
		return &pb.Reply{Result: &pb.Reply_Newsletter{Newsletter: result}}, err
	case *pb.ToEngine_ChangeNewsletter:
		return nil, s.ChangeNewsletter(ctx, c.ChangeNewsletter)
	case *pb.ToEngine_GetNewsletterPosts:
		result, err := s.GetNewsletterPosts(ctx, c.GetNewsletterPosts)
		return &pb.Reply{Result: &pb.Reply_NewsletterPosts{NewsletterPosts: result}}, err
	case *pb.ToEngine_ChangeNewsletterPost:
		return nil, s.ChangeNewsletterPost(ctx, c.ChangeNewsletterPost)
	default:
		return nil, &session.Failure{Code: "unsupported", Message: "this engine does not know the command"}
	}
}
