package session

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	pb "malote.dev/engine/protocol"
)

// WhatsApp's own limits, in characters.
const (
	maxNewsletterName        = 100
	maxNewsletterDescription = 2048
)

// What an account has to accept before it creates its first newsletter.
const newsletterTerms, newsletterTermsStage = "20601218", "5"

const notFound = 404

// GetNewsletter describes a newsletter, followed or not.
func (s *Session) GetNewsletter(ctx context.Context, command *pb.GetNewsletter) (*pb.Newsletter, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	var found *types.NewsletterMetadata
	var err error
	if command.Invite != "" {
		code := command.Invite[strings.LastIndexByte(command.Invite, '/')+1:]
		found, err = s.client.GetNewsletterInfoWithInvite(ctx, code)
	} else {
		var jid types.JID
		if jid, err = parseNewsletter(command.Jid); err != nil {
			return nil, err
		}
		found, err = s.client.GetNewsletterInfo(ctx, jid)
	}
	if err != nil {
		return nil, newsletterError(err)
	}
	if found == nil {
		return nil, &Failure{Code: "rejected", Message: "there is no such newsletter", ServerCode: notFound}
	}
	return newsletter(found), nil
}

// GetNewsletters describes the newsletters that the account follows, and its own.
func (s *Session) GetNewsletters(ctx context.Context) (*pb.Newsletters, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	followed, err := s.client.GetSubscribedNewsletters(ctx)
	if err != nil {
		return nil, newsletterError(err)
	}
	result := &pb.Newsletters{}
	for _, one := range followed {
		result.Newsletters = append(result.Newsletters, newsletter(one))
	}
	return result, nil
}

// CreateNewsletter creates a newsletter of this account.
func (s *Session) CreateNewsletter(ctx context.Context, command *pb.CreateNewsletter) (*pb.Newsletter, error) {
	if length := utf8.RuneCountInString(command.Name); length == 0 || length > maxNewsletterName {
		return nil, fail("bad_request", "a newsletter's name has 1 to %d characters, not %d", maxNewsletterName, length)
	}
	if length := utf8.RuneCountInString(command.Description); length > maxNewsletterDescription {
		return nil, fail("bad_request", "a description of %d characters is longer than %d", length, maxNewsletterDescription)
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	if err := s.client.AcceptTOSNotice(ctx, newsletterTerms, newsletterTermsStage); err != nil {
		return nil, err
	}
	made, err := s.client.CreateNewsletter(ctx, whatsmeow.CreateNewsletterParams{
		Name: command.Name, Description: command.Description,
	})
	if err != nil {
		return nil, newsletterError(err)
	}
	if made == nil {
		return nil, fail("internal", "WhatsApp did not tell of the newsletter that it created")
	}
	return newsletter(made), nil
}

// ChangeNewsletter follows or mutes a newsletter, or ends that.
func (s *Session) ChangeNewsletter(ctx context.Context, command *pb.ChangeNewsletter) error {
	jid, err := parseNewsletter(command.Jid)
	if err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	switch change := command.Change.(type) {
	case *pb.ChangeNewsletter_Followed:
		if change.Followed {
			return newsletterError(s.client.FollowNewsletter(ctx, jid))
		}
		return newsletterError(s.client.UnfollowNewsletter(ctx, jid))
	case *pb.ChangeNewsletter_Muted:
		return newsletterError(s.client.NewsletterToggleMute(ctx, jid, change.Muted))
	default:
		return fail("bad_request", "no change of the newsletter is given")
	}
}

// newsletterError finds WhatsApp's code in the answer to a query of the kind that newsletters have.
func newsletterError(err error) error {
	var refused types.GraphQLErrors
	if errors.As(err, &refused) && len(refused) > 0 {
		return refusal(refused[0].Extensions.ErrorCode, refused[0].Message)
	}
	return err
}

func newsletter(found *types.NewsletterMetadata) *pb.Newsletter {
	about := found.ThreadMeta
	result := &pb.Newsletter{
		Jid:         found.ID.String(),
		Name:        about.Name.Text,
		Description: about.Description.Text,
		Invite:      about.InviteCode,
		Followers:   uint32(max(about.SubscriberCount, 0)),
		CreatedAtMs: milliseconds(about.CreationTime.Time),
		Verified:    about.VerificationState == types.NewsletterVerificationStateVerified,
		State:       string(found.State.Type),
	}
	if found.ViewerMeta != nil {
		result.Role = string(found.ViewerMeta.Role)
		result.Muted = found.ViewerMeta.Mute == types.NewsletterMuteOn
	}
	return result
}

func parseNewsletter(text string) (types.JID, error) {
	jid, err := parseChat(text)
	if err != nil || jid.Server != types.NewsletterServer {
		return types.EmptyJID, fail("bad_request", "%q is not the JID of a newsletter", text)
	}
	return jid, nil
}
