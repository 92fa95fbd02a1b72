package cmd

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/graph"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

func (a *app) moveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "move source destination",
		Aliases: []string{"mv"},
		Short:   "Rename or move tracked data with its .dvc file",
		Long: `Move data that flow add tracks, its .dvc file when that has the data's name, and
the .gitignore entry. A destination that is a directory keeps the data's name.`,
		Args: cobra.ExactArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			if err := a.move(ctx, args[0], args[1]); err != nil {
				return failed(prefixed(fmt.Sprintf("failed to move '%s' -> '%s'", args[0], args[1]), err))
			}
			return nil
		}),
	}
}

// relocation is one move, thought through.
type relocation struct {
	stage            *pipeline.Stage
	out              int // place among the file's outs
	from, to         string
	fileFrom, fileTo string // the .dvc file, absolute
}

func (a *app) move(ctx context.Context, src, dst string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	m, err := s.relocation(src, dst)
	if err != nil {
		return err
	}
	var changed []string
	if err := s.locked(ctx, a.waitLock, func() error {
		changed, err = a.relocate(s, m)
		return err
	}); err != nil {
		return err
	}
	return a.trackChanges(ctx, s, changed)
}

// relocation finds what to move and refuses destinations that cannot be.
func (s *session) relocation(src, dst string) (*relocation, error) {
	m := &relocation{from: s.abs(src), to: s.abs(dst)}
	rel, _ := s.project.Rel(m.from)
	owners, _ := s.set.ResolveOutput(m.from, s.dir)
	for _, st := range owners {
		for i, o := range st.Outs {
			if o.Path == filepath.ToSlash(rel) {
				m.stage, m.out = st, i
			}
		}
	}
	switch {
	case m.stage == nil:
		return nil, fmt.Errorf("Unable to find DVC file with output '%s'", s.showAbs(m.from)) //nolint:staticcheck,revive // DVC's words
	case !m.stage.IsData():
		name := m.stage.Address(s.dir)
		return nil, fmt.Errorf("move is not permitted for stages that are not data sources. You need to either move '%s' to a new location and edit it by hand, or remove '%s' and create a new one at the desired location.", name, name) //nolint:staticcheck,revive // DVC's words
	}
	if fi, err := os.Stat(m.to); err == nil {
		if !fi.IsDir() {
			return nil, fmt.Errorf("'%s' exists already", s.showAbs(m.to))
		}
		m.to = filepath.Join(m.to, filepath.Base(m.from))
		if _, err := os.Lstat(m.to); err == nil {
			return nil, fmt.Errorf("'%s' exists already", s.showAbs(m.to))
		}
	}
	where, inside := s.project.Rel(m.to)
	switch {
	case !inside:
		return nil, fmt.Errorf("'%s' is outside of the project", m.to)
	case strings.HasSuffix(where, ".dvc") || path.Base(where) == "dvc.yaml":
		return nil, fmt.Errorf("DVC file '%s' cannot be an output.", s.showAbs(m.to)) //nolint:staticcheck,revive // DVC's words
	}
	m.fileFrom = s.project.Abs(m.stage.File)
	m.fileTo = m.fileFrom
	if filepath.Base(m.fileFrom) == filepath.Base(m.from)+".dvc" {
		m.fileTo = m.to + ".dvc"
		if _, err := os.Lstat(m.fileTo); err == nil && m.fileTo != m.fileFrom {
			return nil, fmt.Errorf("'%s' exists already", s.showAbs(m.fileTo))
		}
		if g, ok := s.project.Git(); ok && g.Ignored(m.fileTo, false) {
			return nil, fmt.Errorf("bad DVC file name '%s' is git-ignored.", s.showAbs(m.fileTo)) //nolint:staticcheck,revive // DVC's words
		}
	}
	return m, s.checkMoved(m, filepath.ToSlash(where))
}

// checkMoved refuses destinations that overlap with other outputs.
func (s *session) checkMoved(m *relocation, where string) error {
	g, faults := s.engine.Graph()
	if faults != nil {
		return faults
	}
	nodes := make([]graph.Node, g.Len())
	for i := range nodes {
		nodes[i] = g.Node(i)
		if i != s.engine.Index(m.stage) {
			continue
		}
		fileTo, _ := s.project.Rel(m.fileTo)
		nodes[i].File = filepath.ToSlash(fileTo)
		nodes[i].Outs = append([]string(nil), nodes[i].Outs...)
		for k, o := range nodes[i].Outs {
			if o == m.stage.Outs[m.out].Path {
				nodes[i].Outs[k] = where
			}
		}
	}
	_, err := graph.New(nodes)
	return err
}

// relocate carries the move out: the data first, then the new .dvc file, then
// the old one goes. An interruption leaves nothing that flow checkout cannot
// bring back.
func (a *app) relocate(s *session, m *relocation) (changed []string, err error) {
	edited, err := s.movedFile(m)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(m.to), 0o777); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if _, err := os.Lstat(m.from); err == nil {
		if err := os.Rename(m.from, m.to); err != nil {
			return nil, fmt.Errorf("move data: %w", err)
		}
	}
	if err := writeFile(m.fileTo, edited); err != nil {
		return nil, err
	}
	changed = append(changed, s.showAbs(m.fileTo))
	if m.fileTo != m.fileFrom {
		if err := os.Remove(m.fileFrom); err != nil {
			return changed, fmt.Errorf("remove '%s': %w", s.showAbs(m.fileFrom), err)
		}
		changed = append(changed, s.showAbs(m.fileFrom))
	}
	if !m.stage.Outs[m.out].Cache {
		return changed, nil
	}
	gone, err := gitUnignore(s.project, []string{m.from})
	if err != nil {
		return changed, err
	}
	come, err := a.gitIgnore(s.project, []string{m.to})
	seen := map[string]bool{}
	for _, f := range append(gone, come...) {
		if !seen[f] {
			seen[f] = true
			changed = append(changed, s.showAbs(f))
		}
	}
	return changed, err
}

// movedFile is the text of the .dvc file after the move.
func (s *session) movedFile(m *relocation) ([]byte, error) {
	data, err := os.ReadFile(m.fileFrom)
	if err != nil {
		return nil, fmt.Errorf("read '%s': %w", s.showAbs(m.fileFrom), err)
	}
	base := s.project.Abs(m.stage.Wdir)
	if m.fileTo != m.fileFrom {
		// The file moves with its data: paths count from its own directory.
		base = filepath.Dir(m.fileTo)
		if m.stage.WdirDef != "" {
			if data, err = yaml12.Delete(data, []any{"wdir"}); err != nil {
				return nil, err
			}
		}
	}
	rel, err := filepath.Rel(base, m.to)
	if err != nil {
		return nil, fmt.Errorf("move data: %w", err)
	}
	return yaml12.Set(data, []any{"outs", m.out, "path"}, filepath.ToSlash(rel))
}
