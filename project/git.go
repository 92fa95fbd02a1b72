package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// Git is the working tree a project is in. What it knows it reads from files;
// only the methods that take a context run the git program. It may be used by
// several goroutines at once.
type Git struct {
	// Root is the absolute path of the working tree.
	Root string
	// Dir is the directory of this working tree's index and HEAD, Common
	// the one it shares with other working trees of the repository.
	Dir, Common string

	mu     sync.Mutex
	dirs   map[string]*ignoreDir
	outer  func() []*Rule
	index  indexCache
	sha256 func() bool
}

// Git returns the working tree around the project, unless there is none or
// core.no_scm says not to use it.
func (p *Project) Git() (*Git, bool) {
	p.gitOnce.Do(func() {
		var g *Git
		if p.Config == nil || !p.Config.Bool("core", "no_scm", false) {
			g, _ = FindGit(p.Root)
		}
		p.git = func() *Git { return g }
	})
	g := p.git()
	return g, g != nil
}

// FindGit returns the working tree that dir, an absolute path, is in.
func FindGit(dir string) (*Git, bool) {
	for {
		if g, ok := OpenGit(dir); ok {
			return g, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, false
		}
		dir = parent
	}
}

// OpenGit returns the working tree whose top is root, an absolute path.
func OpenGit(root string) (*Git, bool) {
	dotGit := filepath.Join(root, gitDirName)
	info, err := os.Stat(dotGit)
	if err != nil {
		return nil, false
	}
	dir := dotGit
	if !info.IsDir() {
		if dir, err = readGitLink(dotGit, "gitdir: "); err != nil {
			return nil, false
		}
	}
	if !exists(filepath.Join(dir, "HEAD")) {
		return nil, false
	}
	common := dir
	if c, err := readGitLink(filepath.Join(dir, "commondir"), ""); err == nil {
		common = c
	}
	g := &Git{Root: root, Dir: dir, Common: common, dirs: map[string]*ignoreDir{}}
	g.outer = sync.OnceValue(g.outerRules)
	g.sha256 = sync.OnceValue(func() bool {
		v, _ := gitConfigValue(filepath.Join(common, "config"), "extensions", "objectformat")
		return strings.EqualFold(v, "sha256")
	})
	return g, true
}

// readGitLink reads a file that holds a path, relative to its directory.
func readGitLink(file, prefix string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), prefix)
	if !ok || target == "" {
		return "", fmt.Errorf("%s: not a link to a repository", file)
	}
	target = filepath.FromSlash(target)
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	return filepath.Clean(target), nil
}

// rel returns the slash path below the working tree.
func (g *Git) rel(abs string) (string, bool) {
	if rel, ok := relativeTo(g.Root, abs); ok {
		return rel, true
	}
	// The tree may have been found through a link.
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", false
	}
	root, err := filepath.EvalSymlinks(g.Root)
	if err != nil {
		return "", false
	}
	return relativeTo(root, filepath.Join(dir, filepath.Base(abs)))
}

// Ignored reports whether Git's ignore rules exclude a path: those of the
// .gitignore files, of info/exclude and of the user's excludes file. Whether
// the path is tracked plays no role. The files are read once.
func (g *Git) Ignored(abs string, dir bool) bool {
	rel, ok := g.rel(abs)
	if !ok || rel == "." {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	parent := g.load(path.Dir(rel))
	return parent.excludes(rel, dir) != nil
}

// excludes returns the rule that excludes an entry of d.
func (d *ignoreDir) excludes(rel string, dir bool) *Rule {
	if d.ignored != nil {
		return d.ignored
	}
	if r := findGit(d.rules, rel, dir); r != nil && !r.Negated {
		return r
	}
	return nil
}

// load returns what holds inside a directory. The caller has the mutex.
func (g *Git) load(dir string) *ignoreDir {
	if d := g.dirs[dir]; d != nil {
		return d
	}
	d := &ignoreDir{}
	g.dirs[dir] = d
	if dir == "." {
		d.rules = g.outer()
	} else {
		parent := g.load(path.Dir(dir))
		if d.ignored = parent.excludes(dir, true); d.ignored != nil {
			return d
		}
		d.rules = parent.rules
	}
	file := path.Join(dir, gitIgnoreName)
	if data, err := os.ReadFile(filepath.Join(g.Root, filepath.FromSlash(file))); err == nil {
		d.rules = append(d.rules[:len(d.rules):len(d.rules)], parseGitIgnore(dir, file, data)...)
	}
	return d
}

// forget drops what is known of a directory and those below it.
func (g *Git) forget(dir string) {
	for known := range g.dirs {
		if dir == "." || known == dir || strings.HasPrefix(known, dir+"/") {
			delete(g.dirs, known)
		}
	}
}

// outerRules reads the rules that are in no working tree.
func (g *Git) outerRules() []*Rule {
	var rules []*Rule
	for _, file := range []string{g.excludesFile(), filepath.Join(g.Common, "info", "exclude")} {
		if file == "" {
			continue
		}
		if data, err := os.ReadFile(file); err == nil {
			rules = append(rules, parseGitIgnore(".", filepath.ToSlash(file), data)...)
		}
	}
	return rules
}

// excludesFile returns the user's own ignore file: core.excludesFile of the
// repository's or the user's configuration, or Git's default place. Included
// configuration files are not followed.
func (g *Git) excludesFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	xdg := os.Getenv("XDG_CONFIG_HOME")
	if xdg == "" && home != "" {
		xdg = filepath.Join(home, ".config")
	}
	configs := []string{filepath.Join(g.Common, "config")}
	if global, ok := os.LookupEnv("GIT_CONFIG_GLOBAL"); ok {
		configs = append(configs, global)
	} else {
		configs = append(configs, joinNonEmpty(home, ".gitconfig"), joinNonEmpty(xdg, "git/config"))
	}
	if os.Getenv("GIT_CONFIG_NOSYSTEM") == "" {
		configs = append(configs, "/etc/gitconfig")
	}
	for _, c := range configs {
		if v, ok := gitConfigValue(c, "core", "excludesfile"); ok {
			return expandHome(v)
		}
	}
	return joinNonEmpty(xdg, "git/ignore")
}

// AddIgnore makes Git ignore a path by a line in the .gitignore beside it,
// "/name", unless it does already. gitignore is the file that was or would be
// changed. A last line without newline is ended first.
func (g *Git) AddIgnore(abs string) (changed bool, gitignore string, err error) {
	gitignore, err = g.ignoreFileOf(abs)
	if err != nil || g.Ignored(abs, isDir(abs)) {
		return false, gitignore, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	data, err := os.ReadFile(gitignore)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, gitignore, fmt.Errorf("ignore %s: %w", abs, err)
	}
	_, line := ignoreLines(abs)
	if slices.Contains(strings.Split(string(data), "\n"), line) {
		// It is there and a later or outer rule undoes it.
		return false, gitignore, nil
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		data = append(data, '\n')
	}
	data = append(data, line+"\n"...)
	if err := g.replaceFile(gitignore, data); err != nil {
		return false, gitignore, fmt.Errorf("ignore %s: %w", abs, err)
	}
	if rel, ok := g.rel(filepath.Dir(abs)); ok {
		g.forget(rel)
	}
	return true, gitignore, nil
}

// RemoveIgnore removes the line that AddIgnore writes; a file left empty is
// deleted.
func (g *Git) RemoveIgnore(abs string) (changed bool, gitignore string, err error) {
	gitignore, err = g.ignoreFileOf(abs)
	if err != nil {
		return false, gitignore, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	data, err := os.ReadFile(gitignore)
	if errors.Is(err, fs.ErrNotExist) {
		return false, gitignore, nil
	}
	if err != nil {
		return false, gitignore, fmt.Errorf("stop ignoring %s: %w", abs, err)
	}
	plain, escaped := ignoreLines(abs)
	var kept []byte
	for line := range strings.SplitAfterSeq(string(data), "\n") {
		if text := strings.TrimSpace(line); text != strings.TrimSpace(plain) && text != strings.TrimSpace(escaped) {
			kept = append(kept, line...)
		}
	}
	if len(kept) == len(data) {
		return false, gitignore, nil
	}
	if len(kept) == 0 {
		err = os.Remove(gitignore)
	} else {
		err = g.replaceFile(gitignore, kept)
	}
	if err != nil {
		return false, gitignore, fmt.Errorf("stop ignoring %s: %w", abs, err)
	}
	if rel, ok := g.rel(filepath.Dir(abs)); ok {
		g.forget(rel)
	}
	return true, gitignore, nil
}

// replaceFile replaces a file of the working tree by way of the repository's own
// directory, so that a killed process leaves nothing in the tree; or beside the
// file, where that is on another file system.
func (g *Git) replaceFile(path string, data []byte) error {
	return atomicfile.Write(path, data, atomicfile.Options{Sync: true, Temp: g.Dir})
}

// ignoreFileOf returns the .gitignore beside a path.
func (g *Git) ignoreFileOf(abs string) (string, error) {
	file := filepath.Join(filepath.Dir(abs), gitIgnoreName)
	if rel, ok := g.rel(file); !ok || rel == ".." || strings.HasPrefix(rel, "../") {
		return file, fmt.Errorf("'%s' is outside of git repository '%s'", abs, g.Root)
	}
	return file, nil
}
