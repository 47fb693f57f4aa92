package session

import (
	"strings"
	"unicode"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// accompanying are fields that come with a message of another kind.
var accompanying = map[protoreflect.Name]bool{
	"messageContextInfo":           true,
	"senderKeyDistributionMessage": true,
}

// kindOf names the field that makes up the message, or is empty. A message that only brings a key for a group is of
// that kind.
func kindOf(message *waE2E.Message) string {
	kind, accompanied := "", ""
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !accompanying[field.Name()] {
			kind = string(field.Name())
			return false
		}
		if field.Name() != "messageContextInfo" {
			accompanied = string(field.Name())
		}
		return true
	})
	return nonEmpty(kind, accompanied)
}

func textOf(message *waE2E.Message) string {
	return nonEmpty(message.GetConversation(), message.GetExtendedTextMessage().GetText())
}

// onlyGroupKey says whether a message has nothing in it but a key of a group.
func onlyGroupKey(message *waE2E.Message) bool {
	return kindOf(message) == "senderKeyDistributionMessage"
}

// withoutGroupKey leaves out the key that a group's member sends along with the first message.
func withoutGroupKey(message *waE2E.Message) *waE2E.Message {
	if message.GetSenderKeyDistributionMessage() == nil {
		return message
	}
	stripped := proto.CloneOf(message)
	stripped.SenderKeyDistributionMessage = nil
	return stripped
}

// carriesKeys says whether a message between the account's own devices holds secrets.
func carriesKeys(internal *waE2E.ProtocolMessage) bool {
	return internal.GetAppStateSyncKeyShare() != nil ||
		internal.GetHistorySyncNotification() != nil ||
		internal.GetInitialSecurityNotificationSettingSync() != nil ||
		internal.GetPeerDataOperationRequestResponseMessage() != nil
}

// contextOf returns what a message says about the one it answers, whatever its kind.
func contextOf(message *waE2E.Message) *waE2E.ContextInfo {
	var found *waE2E.ContextInfo
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind || field.IsList() || field.IsMap() {
			return true
		}
		content := value.Message()
		inner := content.Descriptor().Fields().ByName("contextInfo")
		if inner == nil || !content.Has(inner) {
			return true
		}
		found, _ = content.Get(inner).Message().Interface().(*waE2E.ContextInfo)
		return found == nil
	})
	return found
}

// targetOf names the message that this one changes or reacts to.
func targetOf(message *waE2E.Message) string {
	return nonEmpty(message.GetProtocolMessage().GetKey().GetID(), message.GetReactionMessage().GetKey().GetID())
}

// snakeCase turns CamelCase and kebab-case into snake_case, with abbreviations as one word: JIDAlt is jid_alt.
func snakeCase(name string) string {
	letters := []rune(name)
	var out strings.Builder
	for i, letter := range letters {
		switch {
		case letter == '-' || letter == ' ':
			out.WriteRune('_')
		case unicode.IsUpper(letter):
			startsWord := i > 0 && (unicode.IsLower(letters[i-1]) || unicode.IsDigit(letters[i-1]))
			endsAbbreviation := i > 0 && i+1 < len(letters) && unicode.IsUpper(letters[i-1]) && unicode.IsLower(letters[i+1])
			if startsWord || endsAbbreviation {
				out.WriteRune('_')
			}
			out.WriteRune(unicode.ToLower(letter))
		default:
			out.WriteRune(letter)
		}
	}
	return out.String()
}
