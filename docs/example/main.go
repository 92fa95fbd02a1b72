// Command example is a flow with a stage of its own beside the built-in ones.
package main

import (
	"context"
	"os"
	"strings"

	"github.com/flowrepro/flow/cmd"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/builtin"
)

func main() {
	registry := builtin.Stages()
	registry.Add(stages.Stage{Name: "shout", Version: "1", Doc: "writes its input in capitals", Run: shout})
	cmd.Main(registry)
}

func shout(_ context.Context, c *stages.Call) error {
	text, err := os.ReadFile(c.Deps[0].File)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Outs[0].File, []byte(strings.ToUpper(string(text))), 0o666)
}
