package project

import (
	"path/filepath"
	"strings"
)

const (
	gitIgnoreName = ".gitignore"
	gitDirName    = ".git"
)

// parseGitIgnore reads a file of Git's ignore patterns that holds in dir.
func parseGitIgnore(dir, file string, data []byte) []*Rule {
	var rules []*Rule
	text := strings.TrimPrefix(string(data), byteOrderMark)
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if r := newRuleGit(line); r != nil {
			r.File, r.Line, r.base = file, n, dir
			rules = append(rules, r)
		}
	}
	return rules
}

// newRuleGit compiles a line, nil when it matches nothing.
func newRuleGit(line string) *Rule {
	line = trimGitSpaces(line)
	r := &Rule{Pattern: line}
	text, negated := strings.CutPrefix(line, "!")
	r.Negated = negated
	if text, r.dirOnly = strings.CutSuffix(text, "/"); text == "" {
		return nil
	}
	prog, err := compileGit(text)
	if err != nil {
		return nil
	}
	r.prog = prog
	return r
}

// trimGitSpaces removes trailing blanks that no backslash protects.
func trimGitSpaces(s string) string {
	end := len(s)
	for i, trailing := 0, false; i < len(s); i++ {
		switch s[i] {
		case ' ':
			if !trailing {
				end, trailing = i, true
			}
			continue
		case '\\':
			i++
		}
		end, trailing = min(i+1, len(s)), false
	}
	return s[:end]
}

// findGit returns the last rule that matches.
func findGit(rules []*Rule, rel string, dir bool) *Rule {
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		if r.dirOnly && !dir {
			continue
		}
		below := rel
		if r.base != "." {
			var ok bool
			if below, ok = strings.CutPrefix(rel, r.base+"/"); !ok {
				continue
			}
		}
		if r.prog.match(below, false) {
			return r
		}
	}
	return nil
}

// escapeGlob protects what has a meaning in a pattern.
func escapeGlob(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`\[]!*#?`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ignoreLines returns the lines by which a .gitignore beside a path excludes
// it: as its name is, and with what has a meaning in a pattern escaped.
func ignoreLines(abs string) (plain, escaped string) {
	name := filepath.Base(abs)
	escaped = escapeGlob(name)
	if rest, ok := strings.CutSuffix(escaped, " "); ok {
		escaped = rest + `\ ` // Git drops blanks at the end
	}
	return "/" + name, "/" + escaped
}
