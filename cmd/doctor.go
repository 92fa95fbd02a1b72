package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/project"
)

// Version is the program's version. Builds set it:
//
//	go build -ldflags "-X github.com/flowrepro/flow/cmd.Version=1.2.3" ./cmd/flow
//
// Without it the version is what the Go toolchain recorded.
var Version string

// buildInfo returns the version, the revision it was built from and the time
// of that, as far as they are known.
func buildInfo() (version, revision, when string) {
	version = Version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, "", ""
	}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.time":
			when = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if version == "" {
		version = info.Main.Version
	}
	if version == "" {
		version = "(devel)"
	}
	if revision != "" {
		revision += dirty
	}
	return version, revision, when
}

// versionText is the first line of version and doctor.
func versionText() string {
	version, revision, when := buildInfo()
	text := "flow " + version
	if revision != "" {
		short := revision
		if len(short) > 12 {
			short = short[:12]
			if strings.HasSuffix(revision, "-dirty") {
				short += "-dirty"
			}
		}
		text += " (" + short + ", " + when + ")"
	}
	return text
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			if asJSON {
				version, revision, when := buildInfo()
				return printJSON(a.stdout, map[string]string{
					"version": version, "revision": revision, "time": when,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			fmt.Fprintf(a.stdout, "%s, %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Print what matters for finding out why something does not work",
		Long: `Print the version, the project's format and configuration, the kinds of links that
work between cache and workspace, who holds the project's lock, Git, the shell,
and how much there is. It changes nothing but for probe files that it removes.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			facts := a.diagnose(ctx)
			if asJSON {
				w := &jsonText{}
				w.open('{')
				for _, f := range facts {
					w.key(f.name)
					w.text(f.value)
				}
				w.close('}')
				fmt.Fprintln(a.stdout, w.b.String())
				return nil
			}
			for _, f := range facts {
				fmt.Fprintf(a.stdout, "%-12s %s\n", f.name+":", f.value)
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// fact is one line of doctor.
type fact struct{ name, value string }

func (a *app) diagnose(ctx context.Context) []fact {
	facts := []fact{
		{"version", strings.TrimPrefix(versionText(), "flow ")},
		{"platform", fmt.Sprintf("%s/%s, %s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.NumCPU())},
		{"shell", shellText()},
		{"git", gitText(ctx)},
	}
	add := func(name, format string, args ...any) {
		facts = append(facts, fact{name, fmt.Sprintf(format, args...)})
	}
	cwd, err := os.Getwd()
	if err != nil {
		add("project", "%v", err)
		return facts
	}
	p, err := project.Find(cwd)
	var none *project.NotFoundError
	switch {
	case errors.As(err, &none), p == nil:
		add("project", "none: %v", err)
		return facts
	case err != nil:
		add("config", "faulty: %v", err)
	}
	add("project", "%s", p.Root)
	add("format", "%s (%s, %s)", p.Format.Name, p.Format.Control, p.Format.Hash.Name)
	for _, level := range levels() {
		if n := len(p.Config.Entries(level)); n > 0 {
			add("config", "%s: %s, %s", level, p.Config.File(level), count(n, "setting"))
		}
	}
	for _, r := range p.Config.Remotes() {
		add("remote", "%s: %s", r.Name, r.URL)
	}
	add("cache", "%s", p.CacheDir())
	add("links", "%s", linksText(p))
	facts = append(facts, contents(ctx, p)...)
	if g, ok := p.Git(); ok {
		add("working tree", "%s", g.Root)
	}
	add("lock", "%s", lockText(ctx, p))
	set, err := loadPipeline(p, project.NewIgnore(p.Root))
	data := 0
	for _, st := range set.Stages {
		if st.IsData() {
			data++
		}
	}
	add("pipeline", "%s, %s, %s", count(len(set.Files)-data, "pipeline file"), count(len(set.Stages)-data, "stage"), count(data, ".dvc file"))
	if err != nil {
		add("pipeline", "faulty: %s", firstLine(err.Error()))
	}
	return facts
}

// contents counts the cache.
func contents(ctx context.Context, p *project.Project) []fact {
	s, err := openStore(p, nil)
	if err != nil {
		return []fact{{"objects", err.Error()}}
	}
	var objects int
	var bytes int64
	err = s.Walk(ctx, func(_ cache.Digest, size int64, _ time.Time) error {
		objects++
		bytes += size
		return nil
	})
	text := fmt.Sprintf("%s, %s", count(objects, "object"), byteCount(bytes))
	if err != nil {
		text += ": " + err.Error()
	}
	return []fact{{"objects", text}}
}

func shellText() string {
	if runtime.GOOS == "windows" {
		return "cmd.exe"
	}
	if sh := os.Getenv("SHELL"); sh != "" {
		return sh
	}
	return "/bin/sh ($SHELL is not set)"
}

func gitText(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "--version").Output()
	if err != nil {
		return "not found: what needs revisions does not work"
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
}

// lockText tells whether the project's lock can be had.
func lockText(ctx context.Context, p *project.Project) string {
	if _, err := os.Stat(p.TempDir()); err != nil {
		return "free"
	}
	release, err := p.Lock(ctx, false)
	if err != nil {
		return firstLine(err.Error())
	}
	if err := release(); err != nil {
		return err.Error()
	}
	return "free"
}

// linksText probes which links from the cache to the workspace work.
func linksText(p *project.Project) string {
	dir := p.CacheDir()
	if _, err := os.Stat(dir); err != nil {
		return "not known: there is no cache yet"
	}
	configured := p.Config.List("cache", "type")
	if len(configured) == 0 {
		configured = []string{string(cache.Reflink), string(cache.Copy)}
	}
	works := map[string]bool{}
	for _, l := range cache.ProbeLinks(dir, p.Root) {
		works[string(l)] = true
	}
	var parts []string
	for _, l := range []cache.LinkType{cache.Reflink, cache.Hardlink, cache.Symlink, cache.Copy} {
		text := string(l)
		if !works[text] {
			text += " (does not work here)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ") + "; configured: " + strings.Join(configured, ", ") + " in " + filepath.Base(dir)
}
