//go:build interop

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// container is what of a container tells how to run it.
type container struct {
	name, image   string
	command, args []string
	dir           string
	env           []string
}

// retraining returns the containers of the overlay's job in their order, with
// the variables of the overlay's maps.
func retraining(t *testing.T, overlay string) (list []container) {
	t.Helper()
	maps := map[string]map[string]any{}
	var pod map[string]any
	all := objects(t, render(t, overlay))
	for _, o := range all {
		metadata, _ := o["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		if data, ok := o["data"].(map[string]any); ok && o["kind"] == "ConfigMap" {
			maps[name] = data
		}
		if o["kind"] == "CronJob" {
			pod = at(o, "spec", "jobTemplate", "spec", "template", "spec")
		}
	}
	for _, key := range []string{"initContainers", "containers"} {
		parts, _ := pod[key].([]any)
		for _, p := range parts {
			c, _ := p.(map[string]any)
			one := container{name: fmt.Sprint(c["name"]), image: fmt.Sprint(c["image"]), dir: fmt.Sprint(c["workingDir"]), command: texts(c["command"]), args: texts(c["args"])}
			from, _ := c["envFrom"].([]any)
			for _, f := range from {
				source, _ := f.(map[string]any)
				if m := at(source, "configMapRef"); m != nil {
					for k, v := range maps[fmt.Sprint(m["name"])] {
						one.env = append(one.env, fmt.Sprintf("%s=%v", k, v))
					}
				}
			}
			env, _ := c["env"].([]any)
			for _, e := range env {
				v, _ := e.(map[string]any)
				one.env = append(one.env, fmt.Sprintf("%v=%v", v["name"], v["value"]))
			}
			list = append(list, one)
		}
	}
	return list
}

func at(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m, _ = m[p].(map[string]any)
	}
	return m
}

func texts(v any) (list []string) {
	entries, _ := v.([]any)
	for _, e := range entries {
		list = append(list, fmt.Sprint(e))
	}
	return list
}

// flow returns the program's path.
func flow(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("FLOW_TEST_FLOW"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "flow")
	c := exec.Command("go", "build", "-o", path, "./cmd/flow")
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// run runs a container as a process: its volume is a directory, and it sees
// nothing of this environment.
func (c container) run(t *testing.T, program, volume, home string, replace ...string) (string, error) {
	t.Helper()
	argv := append(c.command, c.args...)
	if len(c.command) == 0 {
		argv = append([]string{program}, c.args...)
	}
	command := exec.Command(argv[0], argv[1:]...)
	local := strings.NewReplacer(append(replace, "/project", volume, "=/tmp", "="+home)...)
	command.Dir = local.Replace(c.dir)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, v := range c.env {
		command.Env = append(command.Env, local.Replace(v))
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.Command("git", args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// A night clones the project, reproduces it and promotes the model; the next one
// does only what has changed; and gates that refuse end it with the exit code
// that the job does not repeat.
func TestRetraining(t *testing.T) {
	list := retraining(t, "../../k8s/overlays/with-mlflow")
	if len(list) != 3 || !strings.Contains(list[0].image, "git") || !strings.Contains(list[1].image, "/flow:") || !strings.Contains(list[2].image, "/flow:") {
		t.Fatalf("containers: %v", list)
	}
	program, volume, home := flow(t), t.TempDir(), t.TempDir()
	if os.Geteuid() == 0 {
		check(t, os.Chown(volume, 65532, 65532)) // as that of a volume, the owner is another
	}
	// The repository is this one as it is committed, served from the disk.
	origin := filepath.Join(t.TempDir(), "origin.git")
	git(t, "../..", "clone", "-q", "--bare", ".", origin)
	git(t, origin, "branch", "-f", "nightly", git(t, "../..", "rev-parse", "HEAD"))
	replace := []string{"RETRAIN_REPOSITORY=https://github.com/flowrepro/flow.git", "RETRAIN_REPOSITORY=file://" + origin,
		"RETRAIN_BRANCH=main", "RETRAIN_BRANCH=nightly", "MLFLOW_TRACKING_URI=http://mlflow:5000", "MLFLOW_TRACKING_URI="}
	night := func() (said [3]string, err error) {
		t.Helper()
		for i, c := range list {
			if said[i], err = c.run(t, program, volume, home, replace...); err != nil {
				return said, fmt.Errorf("%s: %w\n%s", c.name, err, said[i])
			}
		}
		return said, nil
	}

	first, err := night()
	check(t, err)
	if !strings.Contains(first[2], "Production") && !strings.Contains(first[2], "production") {
		t.Errorf("promotion: %s", first[2])
	}
	check(t, os.WriteFile(filepath.Join(volume, "README.md"), []byte("changed in the night\n"), 0o600))
	second, err := night()
	check(t, err)
	if strings.Contains(second[1], "Running stage") {
		t.Errorf("the second night did something:\n%s", second[1])
	}
	if data, err := os.ReadFile(filepath.Join(volume, "README.md")); err != nil || bytes.HasPrefix(data, []byte("changed")) {
		t.Errorf("the checkout kept a change: %v", err)
	}

	// The branch moves on: its gates ask for what no model has.
	work := filepath.Join(t.TempDir(), "work")
	git(t, "../..", "clone", "-q", "--branch", "nightly", origin, work)
	for _, change := range []struct{ file, old, new string }{
		{"params.yaml", "minimum: {accuracy: 0.85}", "minimum: {accuracy: 0.999}"},
		{"params.yaml", "c: 100", "c: 50"},
	} {
		path := filepath.Join(work, change.file)
		data, err := os.ReadFile(path)
		check(t, err)
		if !bytes.Contains(data, []byte(change.old)) {
			t.Fatalf("%s has no %q any more", change.file, change.old)
		}
		check(t, os.WriteFile(path, bytes.Replace(data, []byte(change.old), []byte(change.new), 1), 0o600))
	}
	git(t, work, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qam", "Ask for more")
	git(t, work, "push", "-q", "origin", "HEAD:nightly")
	_, err = night()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(err.Error(), "promote:") {
		t.Errorf("gates that refuse: %v", err)
	}
}
