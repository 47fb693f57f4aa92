package logs

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
)

func TestALineIsAnObjectWithoutContents(t *testing.T) {
	var out bytes.Buffer
	log := (&Sink{out: &out, min: Warn}).Logger("engine").Sub("Recv")
	log.Infof("dropped")
	log.Warnf("took long: %s", &waBinary.Node{
		Tag: "message", Attrs: waBinary.Attrs{"id": "A1", "notify": "Ana"},
		Content: []waBinary.Node{{Tag: "enc", Content: []byte("secret")}},
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%q", lines)
	}
	var line map[string]string
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	if line["level"] != "warn" || line["module"] != "engine/Recv" || line["time"] == "" {
		t.Errorf("%v", line)
	}
	if !strings.Contains(line["message"], "id=A1") || !strings.Contains(line["message"], "[enc]") {
		t.Errorf("the outline is missing: %s", line["message"])
	}
	for _, secret := range []string{"secret", "736563726574", "Ana"} {
		if strings.Contains(lines[0], secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

func TestLevels(t *testing.T) {
	for name, wanted := range map[string]Level{"debug": Debug, "INFO": Info, "error": Error, "": Warn, "loud": Warn} {
		if ParseLevel(name) != wanted {
			t.Errorf("%q", name)
		}
	}
}
