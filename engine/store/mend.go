package store

import (
	"go.mau.fi/libsignal/state/record"
	waStore "go.mau.fi/whatsmeow/store"
)

// mend undoes what libsignal does to states of a session that a message was not encrypted from.
//
// Two devices that write to each other for the first time at once have a session with several states from then on. To
// decrypt a message libsignal tries one after the other, takes the step in each before it knows whether the message is
// of that state, and has all of them stored. A state that has taken such a step decrypts nothing any more. Only the one
// that fitted, which is the current one afterwards, has a step behind it that counts.
func mend(before, after []byte) []byte {
	serializer := waStore.SignalProtobufSerializer.Session
	old, err := serializer.Deserialize(before)
	if err != nil {
		return after
	}
	session, err := serializer.Deserialize(after)
	if err != nil || len(session.PreviousStates) == 0 {
		return after
	}
	originals := map[string]*record.StateStructure{}
	for _, state := range append([]*record.StateStructure{old.SessionState}, old.PreviousStates...) {
		if name := nameOf(state); originals[name] == nil {
			originals[name] = state
		}
	}
	// The states are also listed twice after one of them became the current.
	seen := map[string]bool{nameOf(session.SessionState): true}
	kept := make([]*record.StateStructure, 0, len(session.PreviousStates))
	for _, state := range session.PreviousStates {
		name := nameOf(state)
		if seen[name] {
			continue
		}
		seen[name] = true
		if original := originals[name]; original != nil {
			state = original
		}
		kept = append(kept, state)
	}
	session.PreviousStates = kept
	return serializer.Serialize(session)
}

// nameOf tells the states of a session apart: each began with another key.
func nameOf(state *record.StateStructure) string {
	if state == nil {
		return ""
	}
	return string(state.SenderBaseKey)
}
