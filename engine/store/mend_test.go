package store

import (
	"testing"

	"go.mau.fi/libsignal/state/record"
	waStore "go.mau.fi/whatsmeow/store"
)

// state is one that began with the key name and has taken so many steps.
func state(name string, steps uint32) *record.StateStructure {
	return &record.StateStructure{SenderBaseKey: []byte(name), PreviousCounter: steps}
}

func states(current *record.StateStructure, previous ...*record.StateStructure) []byte {
	return waStore.SignalProtobufSerializer.Session.Serialize(&record.SessionStructure{SessionState: current, PreviousStates: previous})
}

func TestStatesThatDidNotFitAreLeftAsTheyWere(t *testing.T) {
	before := states(state("ana", 1), state("bia", 2), state("caio", 3))
	for name, c := range map[string]struct{ after, wanted []byte }{
		"the current one fitted": {
			states(state("ana", 9), state("bia", 2), state("caio", 3)), states(state("ana", 9), state("bia", 2), state("caio", 3)),
		},
		"the last one fitted, after the others were tried": {
			states(state("caio", 9), state("ana", 8), state("bia", 8), state("caio", 3)), states(state("caio", 9), state("ana", 1), state("bia", 2)),
		},
		"one in the middle fitted, and those behind it are listed twice": {
			states(state("bia", 9), state("ana", 8), state("caio", 3), state("caio", 3)), states(state("bia", 9), state("ana", 1), state("caio", 3)),
		},
		"a new one came": {
			states(state("duda", 1), state("ana", 1), state("bia", 2), state("caio", 3)), states(state("duda", 1), state("ana", 1), state("bia", 2), state("caio", 3)),
		},
	} {
		if got := mend(before, c.after); string(got) != string(c.wanted) {
			t.Errorf("%s:\n%q, not\n%q", name, got, c.wanted)
		}
	}
}

func TestWhatIsNoSessionIsNotMended(t *testing.T) {
	for _, after := range []string{"", "no session", string(states(state("ana", 1)))} {
		if got := mend([]byte("neither"), []byte(after)); string(got) != after {
			t.Errorf("%q became %q", after, got)
		}
	}
}
