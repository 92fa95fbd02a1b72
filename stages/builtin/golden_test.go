package builtin

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

var update = flag.Bool("update", false, "record the outputs of stages whose version is new")

// pin is what a version of a stage wrote for the fixture.
type pin struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// A version names what a stage computes. When the bytes change and the version
// does not, results of the old program would be taken for those of the new.
func TestVersionsPinOutputs(t *testing.T) {
	p := newPipeline(t, fixture(t), fixture(t))
	if err := p.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("gonum's vector code rounds differently on other processors; the pins are those of amd64")
	}
	golden := filepath.Join("testdata", "versions.json")
	pins := map[string]pin{}
	if data, err := os.ReadFile(golden); err == nil {
		if err := json.Unmarshal(data, &pins); err != nil {
			t.Fatal(err)
		}
	} else if !*update {
		t.Fatal(err)
	}
	for i, d := range declared {
		s, _ := Stages().Lookup(d.stage)
		have := pin{Version: s.Version, Digest: p.digest(i)}
		old, known := pins[d.stage]
		switch {
		case have == old:
		case known && have.Version == old.Version:
			t.Errorf("%s writes other bytes than version %s did: bump Version in builtin.go, then run this test with -update\nhave %s\nwant %s",
				d.stage, old.Version, have.Digest, old.Digest)
		case !*update:
			t.Errorf("%s has version %q, recorded is %q: run this test with -update", d.stage, have.Version, old.Version)
		default:
			pins[d.stage] = have
		}
	}
	if len(pins) != len(Stages().List()) {
		t.Errorf("%d stages recorded, %d registered", len(pins), len(Stages().List()))
	}
	if !*update || t.Failed() {
		return
	}
	data, err := json.MarshalIndent(pins, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(golden, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSameBytesTwice(t *testing.T) {
	a := newPipeline(t, fixture(t), fixture(t))
	b := newPipeline(t, fixture(t), fixture(t))
	if err := a.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	// The number of workers must not matter.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(7))
	if err := b.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	for i, d := range declared {
		if a.digest(i) != b.digest(i) {
			t.Errorf("%s: two runs wrote different bytes", d.stage)
		}
	}
}
