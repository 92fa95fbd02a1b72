package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/bench/measure"
)

// little measures what is done in a large project when there is little to do: a
// push of nothing new, a comparison, and pulls of one small target. The requests
// are counted in runs of their own, through a proxy. DVC looks at the same
// objects as flow does in DVC's format.
func (b *bench) little() error {
	tools := b.tools("little", false)
	for _, t := range tools {
		err := b.fill(t, func(dir string) error { return measure.SmallFiles(dir, *objects, 64) })
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.dir, "small.txt"), []byte("small\n"), 0o666); err != nil {
			return err
		}
		for _, args := range [][]string{{"add", "-q", "small.txt"}, t.push} {
			if err := t.run(args...); err != nil {
				return err
			}
		}
	}
	if exe, ok := b.peer("FLOW_BENCH_DVC", "dvc"); ok && *peers {
		same := *tools[1]
		same.name, same.exe = "DVC", exe
		tools = append(tools, &same)
	}
	of := fmt.Sprintf("of %d objects", *objects)
	status := func(*tool) []string { return []string{"status", "-c", "-q"} }
	push := func(t *tool) []string { return t.push }
	b.print("push "+of+", nothing new", tools, push, nil)
	b.print("status -c "+of, tools, status, nil)

	c, err := startCounter(b.server)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("| requests | number | bytes received |\n| --- | --- | ---:|")
	count := func(t *tool, what string, args []string) error {
		c.take()
		if err := t.run(args...); err != nil {
			return err
		}
		fmt.Printf("| %s, %s | %s |\n", t.name, what, c.take())
		return nil
	}
	for _, t := range tools {
		if err := t.run("remote", "modify", "-q", "r", "endpointurl", c.URL); err != nil {
			return err
		}
		if err := count(t, "push, nothing new", push(t)); err != nil {
			return err
		}
		if err := count(t, "status -c", status(t)); err != nil {
			return err
		}
	}
	for _, t := range tools {
		small, err := os.ReadFile(filepath.Join(t.dir, "small.txt.dvc"))
		if err != nil {
			return err
		}
		for _, target := range []string{"small.txt", filepath.Join("data", "0", "7")} {
			own := *t
			own.dir = filepath.Join(b.tmp, "clone", own.name, filepath.Base(target))
			tracked, err := os.ReadFile(filepath.Join(t.dir, "data.dvc"))
			if err != nil {
				return err
			}
			if err := b.project(&own); err != nil {
				return err
			}
			for name, data := range map[string][]byte{"data.dvc": tracked, "small.txt.dvc": small} {
				if err := os.WriteFile(filepath.Join(own.dir, name), data, 0o666); err != nil {
					return err
				}
			}
			if err := own.run("remote", "modify", "-q", "r", "endpointurl", c.URL); err != nil {
				return err
			}
			if err := count(&own, "pull "+filepath.ToSlash(target), []string{"pull", "-q", target}); err != nil {
				return err
			}
		}
	}
	fmt.Println()
	return nil
}
