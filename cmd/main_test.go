package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flowrepro/flow/cmd"
	"github.com/flowrepro/flow/stages"
)

// TestMain gives scripts, and the commands they start, a program named flow.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flow": func() { cmd.Main(testStages()) }})
}

// testStages are small functions for scripts: "upper" writes its first
// dependency in capitals, with the parameter "suffix" at its end, "broken"
// fails and "panics" panics.
func testStages() *stages.Registry {
	return stages.NewRegistry(
		stages.Stage{Name: "upper", Version: "1", Doc: "Write the input in capitals", Run: upper},
		stages.Stage{Name: "broken", Version: "2", Doc: "Fail", Run: func(context.Context, *stages.Call) error {
			return errors.New("broken on purpose")
		}},
		stages.Stage{Name: "panics", Version: "1", Run: func(context.Context, *stages.Call) error { panic("ouch") }},
	)
}

func upper(_ context.Context, c *stages.Call) error {
	data, err := os.ReadFile(c.Deps[0].File)
	if err != nil {
		return err
	}
	var p struct {
		Suffix string `param:"suffix"`
	}
	if err := c.Params.Decode("", &p); err != nil {
		return err
	}
	c.Log.Info("read", "bytes", len(data))
	return os.WriteFile(c.Outs[0].File, append(bytes.ToUpper(data), p.Suffix...), 0o666)
}
