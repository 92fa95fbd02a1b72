//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tools are the executables under test, by the name that runs them.
var tools = map[string]string{}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dvc := os.Getenv("FLOW_TEST_DVC")
	if dvc == "" {
		if os.Getenv("CI") == "true" {
			fmt.Fprintln(os.Stderr, "FLOW_TEST_DVC does not name DVC's executable")
			return 1
		}
		return m.Run() // which skips the tests
	}
	dvc, err := exec.LookPath(dvc)
	if err != nil {
		fmt.Fprintln(os.Stderr, "FLOW_TEST_DVC:", err)
		return 1
	}
	bin, err := os.MkdirTemp("", "flow-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	// The executable must be called flow: pipelines spawn it by that name.
	flow := filepath.Join(bin, "flow")
	if given := os.Getenv("FLOW_TEST_FLOW"); given != "" {
		err = os.Symlink(given, flow)
	} else {
		build := exec.Command("go", "build", "-o", flow, "../cmd/flow")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flow's executable:", err)
		return 1
	}
	tools["dvc"], tools["flow"] = dvc, flow
	if old := os.Getenv("FLOW_TEST_DVC2"); old != "" {
		if tools["dvc2"], err = exec.LookPath(old); err != nil {
			fmt.Fprintln(os.Stderr, "FLOW_TEST_DVC2:", err)
			return 1
		}
	} else if os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, "FLOW_TEST_DVC2 does not name the executable of a DVC 2")
		return 1
	}
	return m.Run()
}
