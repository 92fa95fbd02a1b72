package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/bench/measure"
)

// tool is one of the programs compared. Those of a pipeline keep a project in
// dir, the others only copy dir/data.
type tool struct {
	name, exe, dir string
	// prefix is where its objects are in the bucket.
	prefix string
	// init makes a project, nil for programs that know none.
	init []string
	// push, fetch and pull are the arguments of the commands. fetch is nil for
	// programs that are not compared in it.
	push, fetch, pull []string
	env               []string
	// tracked is what the project keeps of the data.
	tracked []byte
}

// tools are the programs that were found, with a directory and a prefix each.
func (b *bench) tools(what string, peers bool) []*tool {
	project := func(key, name, exe string, init []string) *tool {
		return &tool{
			name: name, exe: exe, init: init, env: b.server.environment(), dir: filepath.Join(b.tmp, what, key), prefix: what + "-" + key,
			push: []string{"push", "-q"}, pull: []string{"pull", "-q"},
		}
	}
	list := []*tool{
		project("native", "flow", b.flow, []string{"init", "-q", "--no-scm"}),
		project("format", "flow, DVC's format", b.flow, []string{"init", "-q", "--no-scm", "--format", "dvc"}),
	}
	for _, t := range list {
		t.fetch = []string{"fetch", "-q"}
	}
	if exe, ok := b.peer("FLOW_BENCH_DVC", "dvc"); ok && peers {
		list = append(list, project("dvc", "DVC", exe, []string{"init", "-q", "--no-scm"}))
	}
	if exe, ok := b.peer("FLOW_BENCH_S5CMD", "s5cmd"); ok && peers {
		t := project("s5cmd", "s5cmd", exe, nil)
		common := []string{"--endpoint-url", b.server.endpoint, "--log", "error", "cp"}
		t.push = append(common[:len(common):len(common)], "data/", "s3://"+bucket+"/"+t.prefix+"/data/")
		t.pull = append(common[:len(common):len(common)], "s3://"+bucket+"/"+t.prefix+"/data/*", "data/")
		t.fetch = t.pull
		list = append(list, t)
	}
	if exe, ok := b.peer("FLOW_BENCH_RCLONE", "rclone"); ok && peers {
		t := project("rclone", "rclone", exe, nil)
		// As many at once as flow; its default is four.
		common := []string{"--config", filepath.Join(b.tmp, "rclone.conf"), "--transfers", "64", "--checkers", "64", "--s3-no-check-bucket", "-q", "copy"}
		t.push = append(common[:len(common):len(common)], "data", "r:"+bucket+"/"+t.prefix+"/data")
		t.pull = append(common[:len(common):len(common)], "r:"+bucket+"/"+t.prefix+"/data", "data")
		list = append(list, t)
	}
	return list
}

// peer finds a program, and says so once when it is not there.
func (b *bench) peer(env, name string) (string, bool) {
	exe, ok := measure.Tool(env, name)
	if !ok && !b.told[name] {
		b.told[name] = true
		fmt.Printf("%s is not installed (%s names it): left out\n\n", name, env)
	}
	return exe, ok
}

func (t *tool) run(args ...string) error {
	c := exec.Command(t.exe, args...)
	c.Dir, c.Env = t.dir, append(os.Environ(), t.env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", t.name, strings.Join(args, " "), err, out)
	}
	return nil
}

// project makes an empty project with a remote.
func (b *bench) project(t *tool) error {
	if err := os.MkdirAll(t.dir, 0o777); err != nil || t.init == nil {
		return err
	}
	for _, args := range [][]string{
		t.init, {"remote", "add", "-q", "-d", "r", "s3://" + bucket + "/" + t.prefix}, {"remote", "modify", "-q", "r", "endpointurl", b.server.endpoint},
	} {
		if err := t.run(args...); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the project with the data, as it is before the first push.
func (b *bench) fill(t *tool, data func(dir string) error) error {
	if err := b.project(t); err != nil {
		return err
	}
	if err := data(filepath.Join(t.dir, "data")); err != nil || t.init == nil {
		return err
	}
	return t.run("add", "-q", "data")
}

// clone makes what somebody has who has cloned the project and nothing else. When
// the files are large, those of the other tools go too.
func (b *bench) clone(t *tool) error {
	gone := []*tool{t}
	if b.one != "" {
		gone = b.compared
	}
	for _, t := range gone {
		if t.init != nil && t.tracked == nil {
			var err error
			if t.tracked, err = os.ReadFile(filepath.Join(t.dir, "data.dvc")); err != nil {
				return err
			}
		}
		if err := b.throw(t.dir); err != nil {
			return err
		}
	}
	if err := b.project(t); err != nil || t.init == nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.dir, "data.dvc"), t.tracked, 0o666)
}

// forget empties what the server has of a tool.
func (b *bench) forget(t *tool) error {
	for _, dir := range b.server.places(t.prefix) {
		remove := b.throw
		if b.inMemory {
			remove = os.RemoveAll
		}
		if err := remove(dir); err != nil {
			return err
		}
	}
	return nil
}
