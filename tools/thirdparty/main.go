// Command thirdparty writes the list of modules that the flow binary is built
// from, with their licences, as Markdown. Run it in the project's root:
//
//	go -C tools run ./thirdparty -root "$PWD" > THIRD_PARTY.md
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := flag.String("root", ".", "the project's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "thirdparty:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	var lines []string
	for _, osArch := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "./cmd/flow")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+osArch, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("list modules: %w", err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	fmt.Print("# What flow is built from\n\n",
		"The modules linked into the binary, and their licences. `make notices` writes this list.\n\n",
		"| module | version | licence |\n|---|---|---|\n")
	for _, l := range lines {
		f := strings.Fields(l)
		if len(f) != 3 {
			continue
		}
		kind, err := licence(f[2])
		if err != nil {
			return fmt.Errorf("%s: %w", f[0], err)
		}
		fmt.Printf("| %s | %s | %s |\n", f[0], f[1], kind)
	}
	extra, err := os.ReadFile(filepath.Join(root, "tools", "thirdparty", "data.md"))
	if err == nil {
		fmt.Printf("\n%s", extra)
	}
	return nil
}

// licence recognises a module's licence by the words that only it has.
func licence(dir string) (string, error) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "UNLICENSE", "License", "LICENSE-MIT"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for _, k := range []struct{ words, name string }{
			{"Apache License", "Apache-2.0"},
			{"CC0 1.0 Universal", "CC0-1.0"},
			{"Creative Commons Attribution 4.0", "CC-BY-4.0"},
			{"The contents of this repository are Licensed under the Creative Commons Attribution 3.0", "CC-BY-3.0"},
			{"This is free and unencumbered software", "Unlicense"},
			{"Mozilla Public License", "MPL-2.0"},
			{"Permission to use, copy, modify, and/or distribute", "ISC"},
			{"Permission is hereby granted, free of charge", "MIT"},
			{"Use of the Freetype-Go software is subject to your choice of exactly one", "FTL or GPL-2.0-or-later"},
			{"Neither the name of", "BSD-3-Clause"},
			{"names of its contributors", "BSD-3-Clause"},
			{"Redistributions of source code", "BSD-2-Clause"},
		} {
			if bytes.Contains(bytes.Join(bytes.Fields(text), []byte(" ")), []byte(k.words)) {
				return k.name, nil
			}
		}
		return "", fmt.Errorf("licence in %s not recognised", name)
	}
	return "", fmt.Errorf("no licence file")
}
