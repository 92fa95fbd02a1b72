package project

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

const ignoreName = ".dvcignore"

// Rule is one line of an ignore file.
type Rule struct {
	// File is the slash path of the file: of a .dvcignore relative to the
	// root of the project, of a .gitignore to that of the working tree. It
	// is empty for a built-in rule.
	File string
	// Line counts from 1.
	Line int
	// Pattern is the line, with its "!" when Negated.
	Pattern string
	Negated bool

	prog    *program
	dirOnly bool
	// base is the directory the program's path is relative to.
	base string
}

// String returns the form that `check-ignore --details` prints,
// file:line:pattern.
func (r *Rule) String() string {
	if r.File == "" {
		return ":" + r.Pattern
	}
	return fmt.Sprintf("%s:%d:%s", r.File, r.Line, r.Pattern)
}

// Ignore answers which paths of a project its .dvcignore files exclude. Files
// are read when a path below them is asked for, once; the answers do not
// change afterwards. An Ignore may be used by several goroutines at once.
type Ignore struct {
	root string
	dvc  bool

	mu   sync.Mutex
	dirs map[string]*ignoreDir
	// last is the directory last asked for: many questions in a row are about
	// one.
	last atomic.Pointer[lastDir]
}

type lastDir struct {
	dir   string
	rules *ignoreDir
}

// ignoreDir is what holds inside one directory.
type ignoreDir struct {
	// ignored is the rule that excludes the directory itself or one above.
	ignored *Rule
	// rules apply to the directory's entries, least important first.
	rules []*Rule
	// groups are the rules as DVC joins them.
	groups [][]*Rule
}

// NewIgnore returns the rules of the project at root, an absolute path. Where
// there is a .dvc directory patterns are read as DVC reads them, otherwise as
// Git reads a .gitignore.
func NewIgnore(root string) *Ignore {
	return &Ignore{root: root, dvc: isDir(filepath.Join(root, DVC.Control)), dirs: map[string]*ignoreDir{}}
}

// Match reports whether the path, in slashes and relative to the root, is
// ignored. What is below an ignored directory is ignored. Paths outside the
// root and the root itself are not.
func (ig *Ignore) Match(rel string, dir bool) bool {
	ignored, _ := ig.Check(rel, dir)
	return ignored
}

// Check is Match and also returns the rule that decided, which may be a
// negated one; nil when no rule matches. The rule by which a nested project is
// ignored has no File.
func (ig *Ignore) Check(rel string, dir bool) (ignored bool, rule *Rule) {
	rel = path.Clean(filepath.ToSlash(rel))
	if rel == "." || rel == ".." || strings.HasPrefix(rel, "../") || path.IsAbs(rel) || filepath.IsAbs(rel) {
		return false, nil
	}
	within := "."
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		within = rel[:i]
	}
	last := ig.last.Load()
	if last == nil || last.dir != within {
		ig.mu.Lock()
		last = &lastDir{within, ig.load(within)}
		ig.mu.Unlock()
		ig.last.Store(last)
	}
	return ig.decide(last.rules, rel, dir)
}

// decide applies the rules inside parent to one of its entries.
func (ig *Ignore) decide(parent *ignoreDir, rel string, dir bool) (ignored bool, rule *Rule) {
	switch {
	case parent.ignored != nil:
		return true, parent.ignored
	case dir && ig.nested(rel):
		return true, &Rule{Pattern: "in sub_repo:" + path.Base(rel)}
	case ig.dvc:
		rule = parent.findDVC(rel, dir)
	default:
		rule = findGit(parent.rules, rel, dir)
	}
	return rule != nil && !rule.Negated, rule
}

// nested reports whether a directory is a project of its own.
func (ig *Ignore) nested(rel string) bool {
	dir := filepath.Join(ig.root, filepath.FromSlash(rel))
	return exists(filepath.Join(dir, DVC.Control)) || !ig.dvc && isDir(filepath.Join(dir, Native.Control))
}

// load returns what holds inside a directory. The caller has the mutex.
func (ig *Ignore) load(dir string) *ignoreDir {
	if d := ig.dirs[dir]; d != nil {
		return d
	}
	d := &ignoreDir{}
	ig.dirs[dir] = d
	var parent *ignoreDir
	if dir == "." {
		parent = &ignoreDir{rules: ig.builtin()}
	} else {
		parent = ig.load(path.Dir(dir))
		if ignored, rule := ig.decide(parent, dir, true); ignored {
			d.ignored = rule
			return d
		}
	}
	d.rules = parent.rules
	file := path.Join(dir, ignoreName)
	inherited := &ignoreDir{rules: parent.rules, groups: groupDVC(parent.rules)}
	if hidden, _ := ig.decide(inherited, file, false); !hidden {
		if data, err := os.ReadFile(filepath.Join(ig.root, filepath.FromSlash(file))); err == nil {
			d.rules = append(d.rules[:len(d.rules):len(d.rules)], ig.parse(dir, file, data)...)
		}
	}
	d.groups = groupDVC(d.rules)
	if ig.dvc && len(d.rules) > len(parent.rules) && dir != "." {
		// Inside a directory DVC asks its rules about the directory too. Some
		// of its own, like "**/", match it and so all that it has.
		if rule := d.findDVC(dir, true); rule != nil && !rule.Negated {
			d.ignored = rule
		}
	}
	return d
}

// builtin returns the rules that hold without any file.
func (ig *Ignore) builtin() []*Rule {
	lines := []string{".hg/", ".git/", ".git", ".dvc/"}
	if !ig.dvc {
		lines = append(lines, Native.Control+"/")
	}
	var rules []*Rule
	for _, l := range lines {
		rules = append(rules, ig.parse(".", "", []byte(l))...)
	}
	return rules
}

// parse reads an ignore file in dir.
func (ig *Ignore) parse(dir, file string, data []byte) []*Rule {
	if !ig.dvc {
		return parseGitIgnore(dir, file, data)
	}
	var rules []*Rule
	for i, line := range splitLines(data) {
		text := strings.TrimSpace(line.text)
		if text == "" || text[0] == '#' {
			continue
		}
		if r := newRuleDVC(dir, text); r != nil {
			r.File, r.Line, r.Pattern = file, i+1, text
			rules = append(rules, r)
		}
	}
	return rules
}

// newRuleDVC compiles a line of a .dvcignore in dir, nil when it matches
// nothing.
func newRuleDVC(dir, text string) *Rule {
	r := &Rule{base: "."}
	text, r.Negated = strings.CutPrefix(text, "!")
	r.dirOnly = strings.HasSuffix(text, "/")
	if text == "" || text == "/" {
		return nil
	}
	if dir != "." {
		text = rebaseDVC(dir, text)
	}
	prog, err := compileDVC(text)
	if err != nil {
		return nil
	}
	r.prog = prog
	return r
}

// rebaseDVC makes a pattern of a file in dir one of the root, by text, which
// is what gives it its meaning in DVC: "*/" matches nothing at the root, and
// "sub/**/*/" every directory below sub.
func rebaseDVC(dir, text string) string {
	quoted := escapeGlob(dir)
	if strings.Contains(text[:len(text)-1], "/") && !strings.HasPrefix(text, "**/") {
		return "/" + quoted + "/" + strings.TrimPrefix(text, "/")
	}
	return "/" + quoted + "/**/" + strings.TrimPrefix(text, "**/")
}

// groupDVC cuts rules into the runs that DVC joins into one expression:
// neighbours that exclude and are alike in being for directories only.
func groupDVC(rules []*Rule) [][]*Rule {
	var groups [][]*Rule
	for i, r := range rules {
		if i > 0 && !r.Negated && !rules[i-1].Negated && r.dirOnly == rules[i-1].dirOnly {
			groups[len(groups)-1] = append(groups[len(groups)-1], r)
			continue
		}
		groups = append(groups, []*Rule{r})
	}
	return groups
}

// findDVC returns the rule that decides: of the last run with a match, the
// first rule that matches.
func (d *ignoreDir) findDVC(rel string, dir bool) *Rule {
	for i := len(d.groups) - 1; i >= 0; i-- {
		group := d.groups[i]
		if group[0].dirOnly && !dir {
			continue
		}
		for _, slash := range []bool{false, true} {
			if slash && !dir {
				break
			}
			for _, r := range group {
				if r.prog.match(rel, slash) {
					return r
				}
			}
		}
	}
	return nil
}
