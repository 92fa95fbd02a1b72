//go:build interop

package interop

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// tree is what a project consists of: the description of every file by its path.
type tree map[string]string

// tree reads the whole project but for Git's own files, those that the tools
// keep to themselves in .dvc/tmp, and the file by which flow locks a cache.
func (p *project) tree() tree {
	p.t.Helper()
	tr := tree{}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && (rel == ".git" || rel == ".dvc/tmp"):
			return filepath.SkipDir
		case d.IsDir(), rel == ".dvc/cache/users.lock":
			return nil
		}
		text, err := describe(path, strings.HasPrefix(rel, ".dvc/"))
		tr[rel] = text
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return tr
}

// describe is a file's mode and content, or a digest where that is long. What
// stands in the workspace is described as its owner sees it: DVC makes copies
// of its own of all outputs, which loses links and the other users' bits; flow
// leaves files that it need not touch.
func describe(path string, exact bool) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		to, err := os.Readlink(path)
		return "-> " + to, err
	}
	kind := info.Mode().String()
	if !exact {
		kind = (info.Mode() & 0o700).String()
	}
	if to, err := os.Readlink(path); err == nil && strings.Contains(to, "/.dvc/cache/") {
		kind += " linked to the cache"
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(data) > 8<<10 || !utf8.Valid(data) {
		return fmt.Sprintf("%s %d bytes, SHA-256 %x", kind, len(data), sha256.Sum256(data)), nil
	}
	return fmt.Sprintf("%s\n%s", kind, data), nil
}

// unordered leaves the order of lock entries and of ignored names open: DVC runs
// stages that do not depend on each other in an order of its own.
func (tr tree) unordered() tree {
	sorted := tree{}
	for name, text := range tr {
		switch filepath.Base(name) {
		case "dvc.lock":
			head, stages, ok := strings.Cut(text, "\nstages:\n")
			if ok {
				entries := split(stages)
				slices.Sort(entries)
				text = head + "\nstages:\n" + strings.Join(entries, "")
			}
		case ".gitignore":
			lines := strings.SplitAfter(text, "\n")
			slices.Sort(lines[1:])
			text = strings.Join(lines, "")
		}
		sorted[name] = text
	}
	return sorted
}

// split is the text of each entry of a lock's stages.
func split(stages string) []string {
	var entries []string
	for line := range strings.SplitAfterSeq(stages, "\n") {
		// A name is indented by two columns; all that belongs to it by more.
		if len(entries) == 0 || len(line) > 2 && line[:2] == "  " && line[2] != ' ' {
			entries = append(entries, "")
		}
		entries[len(entries)-1] += line
	}
	return entries
}

// sortedLines are the lines of a file in order.
func sortedLines(text string) []string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}
